// Installed models over HTTP: seen, removed, verified.

import * as v from "valibot";
import type { Context, SharedRoom } from "../app/context.ts";
import { info, list } from "../app/list.ts";
import { remove } from "../app/remove.ts";
import { verify } from "../app/verify.ts";
import { LuciError } from "../domain/errors.ts";
import type { Emit } from "../domain/events.ts";
import type { InstalledModel } from "../domain/results.ts";
import type { SideRun } from "./daemon-jobs.ts";
import { Problem } from "./problem.ts";
import { type Ask, type Route, json, readBody, resultJson } from "./router.ts";

const VERIFY = v.strictObject({
  repair: v.optional(v.boolean(), false),
  quick: v.optional(v.boolean(), false),
});

export interface ModelRoutesOptions {
  /** A context of its own for each request, that ends with it. Without an emit nobody is told of anything. */
  context(request: {
    readonly signal: AbortSignal;
    readonly emit?: Emit;
    readonly room?: SharedRoom;
  }): Context;
  /** Where a verification tells of its progress, and its repairs can be steered. */
  begin(): SideRun;
}

/** The routes of installed models. */
export function modelRoutes({ context, begin }: ModelRoutesOptions): Route[] {
  const nameOf = ({ params }: Ask): string => params["name"] ?? "";
  return [
    {
      method: "GET",
      path: "/v1/models",
      handle: async ({ request }) => {
        const { installed } = await list(context(request), { available: false });
        return json({ models: installed });
      },
    },
    {
      method: "GET",
      path: "/v1/models/:name",
      handle: async (ask) => json(await find(context(ask.request), nameOf(ask))),
    },
    {
      method: "DELETE",
      path: "/v1/models/:name",
      handle: async (ask) => {
        const { name } = await find(context(ask.request), nameOf(ask));
        const dryRun = switchIn(ask, "dryRun");
        return resultJson(await remove(context(ask.request), { names: [name], dryRun }));
      },
    },
    {
      method: "POST",
      path: "/v1/models/:name/verify",
      handle: async (ask) => {
        const { repair, quick } = ask.request.body ? await readBody(ask.request, VERIFY) : NO_WISHES;
        const { signal } = ask.request;
        const { name } = await find(context({ signal }), nameOf(ask));
        const { emit, room, forget } = begin();
        try {
          return resultJson(await verify(context({ signal, emit, room }), { names: [name], repair, quick }));
        } finally {
          forget();
        }
      },
    },
  ];
}

/** `?name=true|false`. What deletes is not done on a misspelt word. @throws Problem 400 */
function switchIn({ query }: Ask, name: string): boolean {
  const text = query.get(name) ?? "false";
  if ([...query.keys()].every((key) => key === name) && (text === "true" || text === "false"))
    return text === "true";
  throw new Problem({
    status: 400,
    code: "E_USAGE",
    detail: `\`${name}\`: expected true or false, and nothing else in the query`,
    hint: "Correct the address's query",
    field: name,
  });
}

const NO_WISHES = { repair: false, quick: false };

/** The installed model of a name. @throws LuciError E_NOT_FOUND */
async function find(context: Context, name: string): Promise<InstalledModel> {
  const { installed } = await info(context, { name });
  if (installed) return installed;
  throw new LuciError("E_NOT_FOUND", `${name} is not installed`, { hint: "GET /v1/models lists what is" });
}
