// The HTTP API over jobs: what is answered on the control socket of a run. A daemon has these routes and more.

import * as v from "valibot";
import { HIGHEST_PRIORITY, PRIORITIES } from "../domain/job.ts";
import { parseRate } from "../domain/size.ts";
import type { EventFeed } from "./event-feed.ts";
import type { Jobs, RunSettings } from "./jobs.ts";
import { Problem } from "./problem.ts";
import { type Ask, type Route, json, readBody } from "./router.ts";

export interface ApiOptions {
  readonly jobs: Jobs;
  readonly feed: EventFeed;
  readonly version: string;
  readonly pid: number;
  /** Said of a daemon: it takes downloads from others. */
  readonly role?: "serve";
}

/** A priority by name or number. */
export const PRIORITY = v.union(
  [
    v.pipe(
      v.picklist(["high", "normal", "low"]),
      v.transform((name) => PRIORITIES[name]),
    ),
    v.pipe(v.number(), v.integer(), v.minValue(-HIGHEST_PRIORITY), v.maxValue(HIGHEST_PRIORITY)),
  ],
  `expected high, normal, low or a whole number from -${HIGHEST_PRIORITY} to ${HIGHEST_PRIORITY}`,
);
/** Bytes per second; null for no limit. */
export const RATE = v.pipe(
  v.union([v.string(), v.number(), v.null()]),
  v.rawTransform(({ dataset, addIssue, NEVER }): number | null => {
    const rate = readRate(dataset.value);
    if (rate !== undefined) return rate;
    addIssue({ message: 'expected bytes per second (20000000, "20M"), or null or "off" for no limit' });
    return NEVER;
  }),
);
const CHANGE = v.pipe(
  v.strictObject({ priority: v.optional(PRIORITY), limitRate: v.optional(RATE) }),
  v.check((change) => Object.keys(change).length > 0, "expected priority, limitRate or both"),
);
const TIMETABLE = "schedule";
const SETTINGS = v.strictObject({
  limitRate: v.union(
    [
      v.pipe(
        v.literal(TIMETABLE),
        v.transform(() => "timetable" as const),
      ),
      v.pipe(
        v.null(),
        v.transform(() => "default" as const),
      ),
      RATE,
    ],
    `expected bytes per second (20000000, "20M"), "off" for no limit, "${TIMETABLE}", or null for the default`,
  ),
});

/** Bytes per second of what a client sent; null for no limit, undefined for nonsense. */
function readRate(value: string | number | null): number | null | undefined {
  if (value === null) return null;
  if (typeof value === "number") return Number.isSafeInteger(value) && value > 0 ? value : undefined;
  try {
    return parseRate(value);
  } catch {
    return undefined;
  }
}

/** The routes of jobs, settings and events. */
export function jobRoutes({ jobs, feed, version, pid, role }: ApiOptions): Route[] {
  const idOf = ({ params }: Ask): string => params["id"] ?? "";
  const health = { status: "ok", version, pid, ...(role ? { role } : {}) };
  const settings = ({ limitBytesPerSec: limitRate, limitBy }: RunSettings): Response =>
    json({ limitRate, ...(limitBy ? { limitBy } : {}) });
  return [
    { method: "GET", path: "/v1/health", handle: () => json(health) },
    {
      method: "GET",
      path: "/v1/downloads",
      handle: () => json({ downloads: jobs.list(), seq: feed.lastSeq }),
    },
    { method: "GET", path: "/v1/downloads/:id", handle: (ask) => json(jobs.get(idOf(ask))) },
    {
      method: "PATCH",
      path: "/v1/downloads/:id",
      handle: async (ask) => {
        const id = jobs.get(idOf(ask)).id;
        const { priority, limitRate } = await readBody(ask.request, CHANGE);
        return json(await jobs.change(id, { priority, limitBytesPerSec: limitRate }));
      },
    },
    {
      method: "DELETE",
      path: "/v1/downloads/:id",
      handle: async (ask) => json(await jobs.cancel(idOf(ask), policyIn(ask)), 202),
    },
    {
      method: "POST",
      path: "/v1/downloads/:id/pause",
      handle: async (ask) => json(await jobs.pause(idOf(ask))),
    },
    {
      method: "POST",
      path: "/v1/downloads/:id/resume",
      handle: async (ask) => json(await jobs.resume(idOf(ask))),
    },
    { method: "GET", path: "/v1/settings", handle: () => settings(jobs.settings()) },
    {
      method: "PATCH",
      path: "/v1/settings",
      handle: async ({ request }) => {
        const { limitRate } = await readBody(request, SETTINGS);
        return settings(await jobs.changeSettings({ limitBytesPerSec: limitRate }));
      },
    },
    { method: "GET", path: "/v1/events", handle: (ask) => feed.stream(sinceIn(ask), everyIn(ask)) },
  ];
}

/** `?partials=resume|delete`. */
function policyIn({ query }: Ask): "resume" | "delete" | null {
  const text = query.get("partials");
  if (text === null || text === "resume" || text === "delete") return text;
  throw badQuery("partials", "expected resume or delete");
}

/** `?since=SEQ`, or what a browser sends when it reconnects: from the next event on. @throws Problem 400 */
export function sinceIn({ query, request }: Pick<Ask, "query" | "request">): number | null {
  const text = query.get("since") ?? request.headers.get("last-event-id");
  if (text === null) return null;
  const seq = /^\d{1,15}$/.test(text) ? Number(text) : null;
  if (seq === null) throw badQuery("since", "expected the number of an event");
  return seq;
}

/** `?every=MS`: how often progress is told at most. @throws Problem 400 */
export function everyIn({ query }: Pick<Ask, "query">): number {
  const text = query.get("every") ?? "500";
  const everyMs = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (everyMs >= 100 && everyMs <= 60_000) return everyMs;
  throw badQuery("every", "expected milliseconds, from 100 to 60000");
}

function badQuery(field: string, message: string): Problem {
  const hint = "Correct the address's query";
  return new Problem({ status: 400, code: "E_USAGE", detail: `\`${field}\`: ${message}`, hint, field });
}
