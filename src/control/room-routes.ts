// The room models take, over HTTP: what is used, what is left over, and what of the catalog would fit.

import * as v from "valibot";
import { cleanup } from "../app/cleanup.ts";
import type { Context } from "../app/context.ts";
import { list } from "../app/list.ts";
import { roomFor } from "../app/need.ts";
import { usage } from "../app/usage.ts";
import { type Job, openModels } from "../domain/job.ts";
import type { CatalogEntry } from "../domain/results.ts";
import { parseDuration } from "../domain/size.ts";
import { type Route, json, readBody, resultJson } from "./router.ts";

const DURATION = v.pipe(v.string(), v.check(isDuration, "expected a time like 12h, 7d or 2w"));
const CLEANUP = v.strictObject({
  dryRun: v.boolean("expected true or false"),
  olderThan: v.optional(v.nullable(DURATION), null),
});

export interface RoomRoutesOptions {
  /** A context of its own for each request, that ends with it. */
  context(request: { readonly signal: AbortSignal }): Context;
  /** All jobs there are. */
  list(): readonly Job[];
}

/** The routes of what takes room, or would. */
export function roomRoutes({ context, list: jobs }: RoomRoutesOptions): Route[] {
  return [
    {
      method: "GET",
      path: "/v1/usage",
      handle: async ({ request }) => resultJson(await usage(context(request))),
    },
    {
      method: "POST",
      path: "/v1/cleanup",
      handle: async ({ request }) => {
        const { dryRun, olderThan } = await readBody(request, CLEANUP);
        const olderThanMs = olderThan === null ? null : parseDuration(olderThan);
        const confirm = async (): Promise<boolean> => true;
        const awaited = async (): Promise<string[]> => openModels(jobs());
        return resultJson(await cleanup(context(request), { dryRun, olderThanMs, awaited, confirm }));
      },
    },
    {
      method: "GET",
      path: "/v1/catalog",
      handle: async ({ request }) => json(await catalogOf(context(request))),
    },
  ];
}

function isDuration(text: string): boolean {
  try {
    parseDuration(text);
    return true;
  } catch {
    return false;
  }
}

interface CatalogModel extends CatalogEntry {
  readonly isInstalled: boolean;
  /** Whether there is room for it; null where its size is not known. */
  readonly fits: boolean | null;
}

async function catalogOf(context: Context): Promise<{ models: CatalogModel[]; freeBytes: number }> {
  const { installed, available } = await list(context, { available: true });
  const freeBytes = await context.files.freeBytes(context.settings.modelsFolder);
  const names = new Set(installed.flatMap(({ name, ref }) => [name.toLowerCase(), ref.toLowerCase()]));
  const models = (available ?? []).map((entry) => {
    const isInstalled = names.has(entry.name.toLowerCase());
    const fits = entry.sizeBytes === null ? null : isInstalled || roomFor(entry.sizeBytes) <= freeBytes;
    return { ...entry, isInstalled, fits };
  });
  return { models, freeBytes };
}
