// The history of downloads over HTTP, the latest first.

import type { Context } from "../app/context.ts";
import { readHistory } from "../app/history.ts";
import { Problem } from "./problem.ts";
import { type Ask, type Route, resultJson } from "./router.ts";

const DEFAULT_LIMIT = 20;
const MOST = 1_000;

/** The routes of the history. @param context a context of its own for each request, that ends with it */
export function historyRoutes(context: (request: { readonly signal: AbortSignal }) => Context): Route[] {
  return [
    {
      method: "GET",
      path: "/v1/history",
      handle: async (ask) => {
        const name = ask.query.get("name");
        const query = { name, limit: limitIn(ask), withTransfers: name !== null };
        return resultJson(await readHistory(context(ask.request), query));
      },
    },
  ];
}

/** `?limit=N`. @throws Problem 400 */
function limitIn({ query }: Ask): number {
  const text = query.get("limit");
  if (text === null) return DEFAULT_LIMIT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MOST) return limit;
  throw new Problem({
    status: 400,
    code: "E_USAGE",
    detail: `\`limit\`: expected a number from 1 to ${MOST}`,
    hint: "Correct the address's query",
    field: "limit",
  });
}
