// The settings of a run: flag > environment > config.toml > default. Every layer is checked whole, so that
// a mistake in one is said even where a stronger one hides it. Reads little text files, changes nothing.

import { join } from "node:path";
import * as v from "valibot";
import { type ErrorCode, LuciError } from "../domain/errors.ts";
import { shorten } from "../domain/text.ts";
import { parseCertificates } from "../platform/http-trust.ts";
import type { Settings } from "../domain/settings.ts";
import { toPath, withPaths } from "./config-paths.ts";
import {
  KEYS,
  type Layer,
  LAYER_SCHEMAS,
  type Place,
  SECRET_KEYS,
  type SettingKey,
} from "./config-schema.ts";
import { parseConfig } from "./config-toml.ts";
import { findHubToken, type TokenDisk, type TokenSources } from "./hub-token.ts";

/** Settings from flags, as typed. `dir` is the models folder. */
export type SettingsFlags = Readonly<Partial<Record<(typeof FLAG_NAMES)[number], string>>>;

/** What loading settings needs of a disk. */
export interface ConfigDisk extends TokenDisk {
  /** Names in a folder; empty if there is none. */
  list(folder: string): Promise<readonly string[]>;
  exists(path: string): Promise<boolean>;
}

export interface SettingsSources extends TokenSources {
  readonly flags: SettingsFlags;
  readonly disk: ConfigDisk;
  /** What relative paths in flags and environment start from. */
  readonly workFolder: string;
  /** Whether the run may fetch: only then is a token looked for. */
  readonly network: boolean;
}

const FLAG_NAMES = [
  "dir",
  "partials",
  "jobs",
  "connections",
  "limit-rate",
  "retries",
  "hasher",
  "disk-wait",
  "ca-file",
  "on-ready",
  "webhook",
] as const;
/** Flags that are not called as their setting is. */
const FLAG_KEYS = { dir: "models", "on-ready": "hooks.ready", webhook: "hooks.webhook" } as const;
const ENVIRONMENT: Readonly<Partial<Record<SettingKey, string>>> = {
  models: "LUCI_MODELS",
  partials: "LUCI_PARTIALS",
  "limit-rate": "LUCI_LIMIT_RATE",
  "stall-seconds": "LUCI_STALL_SECONDS",
  "disk-wait": "LUCI_DISK_WAIT",
  catalog: "LUCI_CATALOG",
  "ca-file": "LUCI_CA_FILE",
  "hf-endpoint": "HF_ENDPOINT",
  history: "LUCI_HISTORY",
};
const DEFAULTS = {
  partials: "resume",
  jobs: 4,
  connections: null,
  "limit-rate": null,
  retries: 3,
  hasher: "auto",
  "stall-seconds": 30,
  "disk-wait": 600_000,
  "hf-endpoint": "https://huggingface.co",
  "hooks.timeout": 600_000,
  history: true,
} as const satisfies Layer;
const HOME_NAME = ".luciferai";
const CA_HINT = "See --ca-file, LUCI_CA_FILE, or `ca-file` in config.toml";
const CONFIG_NAME = "config.toml";
/** Tables of config.toml whose keys are settings of their own. */
const TABLES = new Set(["hooks"]);

/**
 * Loads and checks the settings of a run. Relative paths start at the working folder, those in
 * config.toml at its own folder.
 * @throws LuciError E_USAGE for a bad flag, E_CONFIG for a bad variable or key, naming where it stands
 *   and what is allowed there
 */
export async function loadSettings(sources: SettingsSources): Promise<Settings> {
  const { env, disk, userFolder, workFolder } = sources;
  const homeFolder = toPath(env["LUCI_HOME"] || join(userFolder, HOME_NAME), {
    userFolder,
    from: workFolder,
  });
  const config = withPaths(await readConfig(join(homeFolder, CONFIG_NAME), disk), {
    userFolder,
    from: homeFolder,
  });
  const typed = { ...readEnvironment(env), ...readFlags(sources.flags) };
  const values = { ...DEFAULTS, ...config, ...withPaths(typed, { userFolder, from: workFolder }) };
  if (values.catalog !== undefined && !(await disk.exists(values.catalog))) {
    throw new LuciError("E_CONFIG", `There is no catalog ${values.catalog}`, {
      hint: "See LUCI_CATALOG, or `catalog` in config.toml",
    });
  }
  if (sources.network && values["ca-file"] !== undefined) await checkCaFile(values["ca-file"], disk);
  return {
    homeFolder,
    modelsFolder: values.models ?? join(homeFolder, "models"),
    partials: values.partials,
    jobs: values.jobs,
    connections: values.connections,
    limitBytesPerSec: values["limit-rate"],
    // Whoever says a rate for this run means this run.
    limitTimetable: typed["limit-rate"] === undefined ? (config.limit ?? null) : null,
    hooks: {
      command: values["hooks.ready"] ?? null,
      webhook: values["hooks.webhook"] ?? null,
      limitMs: values["hooks.timeout"],
    },
    keepsHistory: values.history,
    retries: values.retries,
    hasher: values.hasher,
    stallMs: Math.round(values["stall-seconds"] * 1000),
    diskWaitMs: values["disk-wait"],
    caFile: values["ca-file"] ?? null,
    catalogFiles: [
      ...(values.catalog === undefined ? [] : [values.catalog]),
      ...(await homeCatalogs(homeFolder, disk)),
    ],
    hubEndpoint: values["hf-endpoint"],
    hubToken: sources.network ? await findHubToken(sources) : null,
  };
}

/** A file of certificates that is of no use is said before anything is fetched. @throws LuciError E_CONFIG */
async function checkCaFile(path: string, disk: ConfigDisk): Promise<void> {
  let text: string | null;
  try {
    text = await disk.readText(path);
  } catch (cause) {
    const reason = cause instanceof LuciError ? cause.message : path;
    throw new LuciError("E_CONFIG", `Cannot read certificates: ${reason}`, { hint: CA_HINT, cause });
  }
  if (text === null)
    throw new LuciError("E_CONFIG", `There is no file of certificates ${path}`, { hint: CA_HINT });
  parseCertificates(text, { path, named: "ca-file" });
}

function readFlags(flags: SettingsFlags): Layer {
  const raw = FLAG_NAMES.flatMap((flag): Raw[] => {
    const value = flags[flag];
    return value === undefined ? [] : [{ key: keyOfFlag(flag), value, name: `\`--${flag}\`` }];
  });
  return readLayer(raw, { place: "text", code: "E_USAGE" });
}

function keyOfFlag(flag: (typeof FLAG_NAMES)[number]): SettingKey {
  return flag === "dir" || flag === "on-ready" || flag === "webhook" ? FLAG_KEYS[flag] : flag;
}

/** An empty variable counts as none. */
function readEnvironment(env: SettingsSources["env"]): Layer {
  const raw = KEYS.flatMap((key) => {
    const name = ENVIRONMENT[key];
    const value = name === undefined ? undefined : env[name];
    return name === undefined || !value ? [] : [{ key, value, name }];
  });
  return readLayer(raw, { place: "text", code: "E_CONFIG" });
}

async function readConfig(path: string, disk: ConfigDisk): Promise<Layer> {
  const text = await disk.readText(path);
  if (text === null) return {};
  const raw = flatten(parseConfig(text, path)).map(([key, value]) => {
    if (isKey(key)) return { key, value, name: `\`${key}\` in ${path}` };
    throw new LuciError("E_CONFIG", `There is no setting \`${shorten(key)}\`: ${path}`, {
      hint: `It may hold ${quoteAll(KEYS)}`,
    });
  });
  return readLayer(raw, { place: "toml", code: "E_CONFIG" });
}

/** `[hooks] ready` as `hooks.ready`. */
function flatten(config: Readonly<Record<string, unknown>>): [key: string, value: unknown][] {
  return Object.entries(config).flatMap(([key, value]): [string, unknown][] =>
    TABLES.has(key) && typeof value === "object" && value !== null
      ? Object.entries(value).map(([below, inner]) => [`${key}.${below}`, inner])
      : [[key, value]],
  );
}

interface Raw {
  readonly key: SettingKey;
  readonly value: unknown;
  /** Where it stands, in words. */
  readonly name: string;
}

function readLayer(raw: readonly Raw[], { place, code }: { place: Place; code: ErrorCode }): Layer {
  const entries = raw.map(({ key, value, name }) => {
    const { schema, allowed } = LAYER_SCHEMAS[key];
    const parsed = v.safeParse(schema[place], value);
    if (parsed.success) return [key, parsed.output] as const;
    // An address may carry a password or be a secret itself.
    const shown = SECRET_KEYS.has(key) ? "not usable" : shorten(JSON.stringify(value));
    throw new LuciError(code, `${name} is ${shown}`, { hint: `Allowed: ${allowed}` });
  });
  // Each value has just been checked by the schema of its own key.
  return Object.fromEntries(entries);
}

function isKey(key: string): key is SettingKey {
  return (KEYS as readonly string[]).includes(key);
}

function quoteAll(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(", ");
}

/** Catalogs in the home, by name: the first wins over the next. */
async function homeCatalogs(homeFolder: string, disk: ConfigDisk): Promise<string[]> {
  const folder = join(homeFolder, "catalogs");
  const names = (await disk.list(folder)).filter((name) => name.endsWith(".json") && !name.startsWith("."));
  return names.toSorted().map((name) => join(folder, name));
}
