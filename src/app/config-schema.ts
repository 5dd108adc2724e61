// What each setting may be, once for flags, environment and config.toml. Data only: reads nothing.

import * as v from "valibot";
import type { HasherChoice, PartialsPolicy } from "../domain/settings.ts";
import { LuciError } from "../domain/errors.ts";
import { type RateTimetable, readTimetable } from "../domain/rate-timetable.ts";
import { checkUrl, isLoopbackHost } from "../domain/safe-url.ts";
import { parseDuration, parseRate } from "../domain/size.ts";

interface Values {
  readonly models: string;
  readonly partials: PartialsPolicy;
  readonly jobs: number;
  /** Null to adapt to the link. */
  readonly connections: number | null;
  /** Bytes per second; null for no limit. */
  readonly "limit-rate": number | null;
  readonly retries: number;
  readonly hasher: HasherChoice;
  readonly "stall-seconds": number;
  /** Milliseconds; 0 for not at all. */
  readonly "disk-wait": number;
  readonly catalog: string;
  readonly "ca-file": string;
  readonly "hf-endpoint": string;
  /** The `[limit]` table. */
  readonly limit: RateTimetable;
  readonly "hooks.ready": string;
  readonly "hooks.webhook": string;
  /** Milliseconds. */
  readonly "hooks.timeout": number;
  readonly history: boolean;
}

/** A setting's name: its key in config.toml, behind a dot where it stands in a table. */
export type SettingKey = keyof Values;

/** The settings one layer gives. */
export type Layer = { readonly [Key in SettingKey]?: Values[Key] };

/** In TOML a number is a number; in flags and environment everything is text. */
export type Place = "text" | "toml";

interface Rule<Value> {
  readonly schema: Readonly<Record<Place, v.GenericSchema<unknown, Value>>>;
  /** What is allowed, in words. */
  readonly allowed: string;
}

/** PATH_MAX of Linux; other systems take less. */
const LONGEST_PATH = 4096;
const ON: string[] = ["1", "true", "on", "yes"];
const OFF: string[] = ["0", "false", "off", "no"];
const LONGEST_HOOK_MS = 24 * 3_600_000;
const DECIMAL = /^\d+(?:\.\d+)?$/;

/** The rule of each setting. */
export const LAYER_SCHEMAS: { readonly [Key in SettingKey]: Rule<Values[Key]> } = {
  models: folder("a folder"),
  partials: oneOf(["resume", "delete"]),
  jobs: number({ min: 1, max: 16, whole: true }),
  connections: orAuto(number({ min: 1, max: 16, whole: true })),
  "limit-rate": limitRate(),
  retries: number({ min: 0, max: 100, whole: true }),
  hasher: oneOf(["auto", "wasm", "native"]),
  "stall-seconds": number({ min: 0.1, max: 3600, whole: false }),
  "disk-wait": duration({
    maxMs: 7 * 24 * 3_600_000,
    allowed: "a duration like `30s`, `10m` or `2h`, or `0`",
  }),
  catalog: folder("a file of the catalog's schema"),
  "ca-file": folder("a file of certificates in PEM form"),
  "hf-endpoint": endpoint(),
  limit: timetable(),
  "hooks.ready": command(),
  "hooks.webhook": webhook(),
  "hooks.timeout": hookTime(),
  history: onOrOff(),
};

/** What is or may be a secret, and is never repeated in a message. */
export const SECRET_KEYS: ReadonlySet<SettingKey> = new Set(["hf-endpoint", "hooks.webhook"]);

/** Every key, in the order people are told. */
export const KEYS = Object.keys(LAYER_SCHEMAS) as SettingKey[];

function oneOf<const Choice extends string>(choices: readonly [Choice, ...Choice[]]): Rule<Choice> {
  const schema = v.picklist(choices);
  return {
    schema: { text: schema, toml: schema },
    allowed: choices.map((choice) => `\`${choice}\``).join(" or "),
  };
}

function folder(allowed: string): Rule<string> {
  const schema = v.pipe(v.string(), v.trim(), v.nonEmpty(), v.maxLength(LONGEST_PATH), v.regex(/^\P{Cc}+$/u));
  return { schema: { text: schema, toml: schema }, allowed };
}

function number({ min, max, whole }: { min: number; max: number; whole: boolean }): Rule<number> {
  const inside = v.pipe(
    v.number(),
    v.minValue(min),
    v.maxValue(max),
    v.check((value) => !whole || Number.isInteger(value)),
  );
  const text = v.pipe(v.string(), v.trim(), v.regex(DECIMAL), v.transform(Number), inside);
  return {
    schema: { text, toml: inside },
    allowed: `${whole ? "a whole number" : "a number"} from ${min} to ${max}`,
  };
}

/** A rule that also takes `auto`, for null. */
function orAuto(rule: Rule<number>): Rule<number | null> {
  const auto = v.pipe(
    v.literal("auto"),
    v.transform(() => null),
  );
  const { text, toml } = rule.schema;
  return {
    schema: { text: v.union([auto, text]), toml: v.union([auto, toml]) },
    allowed: `${rule.allowed}, or \`auto\``,
  };
}

function limitRate(): Rule<number | null> {
  const text = v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parseRate(dataset.value);
      } catch {
        addIssue({ message: "not a rate" });
        return NEVER;
      }
    }),
  );
  const bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
  return {
    schema: { text, toml: v.union([bytes, text]) },
    allowed: "bytes per second like `500k`, `20M` or `1.5MiB`, or `off`",
  };
}

/** Milliseconds; a bare 0 is the one number that needs no unit. */
function duration({ maxMs, allowed }: { maxMs: number; allowed: string }): Rule<number> {
  const text = v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const waitMs = dataset.value.trim() === "0" ? 0 : durationOrNull(dataset.value);
      if (waitMs !== null && waitMs <= maxMs) return waitMs;
      addIssue({ message: "not a duration" });
      return NEVER;
    }),
  );
  return { schema: { text, toml: v.union([v.literal(0), text]) }, allowed };
}

function durationOrNull(typed: string): number | null {
  try {
    return parseDuration(typed);
  } catch {
    return null;
  }
}

/** A hub's base URL, without user name, query or trailing slash. */
function endpoint(): Rule<string> {
  const schema = v.pipe(
    v.string(),
    v.trim(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const url = URL.parse(dataset.value);
      const plain =
        url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
      const safe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopbackHost(url.hostname));
      if (plain && safe) return url.href.replace(/\/+$/, "");
      addIssue({ message: "not a hub's address" });
      return NEVER;
    }),
  );
  return {
    schema: { text: schema, toml: schema },
    allowed:
      "an https address without user name and query; http for this machine only (localhost, 127.0.0.1)",
  };
}

/** Hours and rates. @throws LuciError E_CONFIG saying which range is wrong: the table is more than one value */
function timetable(): Rule<RateTimetable> {
  const rate = limitRate();
  const toml = v.pipe(
    v.record(v.string(), rate.schema.toml),
    v.transform((table) => readTimetable(new Map(Object.entries(table)))),
  );
  const allowed = `a table of hours, like \`"09:00-18:00" = "2M"\`, each with ${rate.allowed}`;
  return { schema: { text: v.never(), toml }, allowed };
}

function command(): Rule<string> {
  const schema = v.pipe(v.string(), v.trim(), v.nonEmpty());
  return { schema: { text: schema, toml: schema }, allowed: "a command for the shell" };
}

function webhook(): Rule<string> {
  const schema = v.pipe(v.string(), v.trim(), v.check(isSafeUrl));
  return {
    schema: { text: schema, toml: schema },
    allowed: "an https address, or an http one on this machine",
  };
}

function isSafeUrl(text: string): boolean {
  try {
    return checkUrl(text).href !== "";
  } catch (error) {
    if (error instanceof LuciError) return false;
    throw error;
  }
}

/** How long a hook may take, in milliseconds. */
function hookTime(): Rule<number> {
  const schema = v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const timeMs = durationOrNull(dataset.value);
      if (timeMs !== null && timeMs >= 100 && timeMs <= LONGEST_HOOK_MS) return timeMs;
      addIssue({ message: "not a time" });
      return NEVER;
    }),
  );
  return {
    schema: { text: schema, toml: schema },
    allowed: "a time like `30s`, `10m` or `2h`, a day at most",
  };
}

function onOrOff(): Rule<boolean> {
  const text = v.pipe(
    v.string(),
    v.trim(),
    v.toLowerCase(),
    v.picklist([...ON, ...OFF]),
    v.transform((word) => ON.includes(word)),
  );
  return { schema: { text, toml: v.boolean() }, allowed: "`true` or `false` (as a variable `1` or `0`)" };
}
