// From a request to its route: paths, methods, bounded JSON bodies. Knows no route itself.

import * as v from "valibot";
import { jsonLine } from "../domain/text.ts";
import { Problem, problemResponse } from "./problem.ts";
import { faultOf } from "./schema-words.ts";

const BODY_MAX_BYTES = 64 * 1024;

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A request as a route sees it. */
export interface Ask {
  /** The parts of the path that stand for something, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly request: Request;
}

/** What is answered under one path with one method. A route may throw a Problem or a LuciError. */
export interface Route {
  readonly method: Method;
  /** `/v1/downloads/:id`. */
  readonly path: string;
  handle(ask: Ask): Response | Promise<Response>;
}

/** The handler of all these routes. Never rejects. */
export function createRouter(routes: readonly Route[]): (request: Request) => Promise<Response> {
  return async (request) => {
    try {
      assertBodySize(request);
      return await dispatch(routes, request);
    } catch (thrown) {
      return problemResponse(thrown);
    }
  };
}

async function dispatch(routes: readonly Route[], request: Request): Promise<Response> {
  const { pathname, searchParams: query } = new URL(request.url);
  const found = routes.flatMap((route) => {
    const params = matchPath(route.path, pathname);
    return params ? [{ route, params }] : [];
  });
  if (found.length === 0)
    throw new Problem({
      status: 404,
      code: "E_NOT_FOUND",
      detail: `There is nothing at ${pathname}`,
      hint: "GET /v1/health tells what is here",
    });
  const meant = found.find(({ route }) => route.method === request.method);
  if (meant) return meant.route.handle({ params: meant.params, query, request });
  const allow = [...new Set(found.map(({ route }) => route.method))].toSorted().join(", ");
  throw new Problem({
    status: 405,
    code: "E_USAGE",
    detail: `${request.method} is not possible at ${pathname}`,
    hint: `Possible is ${allow}`,
    headers: { Allow: allow },
  });
}

function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? "";
    if (!part.startsWith(":")) {
      if (part !== text) return null;
    } else {
      const value = decode(text);
      if (value === "") return null;
      params[part.slice(1)] = value;
    }
  }
  return params;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/** A value as a JSON response. */
export function json(value: unknown, status = 200): Response {
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  return new Response(`${jsonLine(value)}\n`, { status, headers });
}

/** A command's result, without its name. */
export function resultJson(result: { readonly command: string }): Response {
  return json({ ...result, command: undefined });
}

/** The request's body, held against a schema. @throws Problem 400 naming the field, 413 */
export async function readBody<Schema extends v.GenericSchema>(
  request: Request,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, parse(await readText(request)));
  if (result.success) return result.output;
  const [issue] = result.issues;
  const field = v.getDotPath(issue) ?? "";
  throw badBody(faultOf(issue, field), field);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw badBody("The body is not JSON");
  }
}

function badBody(detail: string, field = ""): Problem {
  const hint = "Send a JSON object with the fields this address takes";
  return new Problem({ status: 400, code: "E_USAGE", detail, hint, ...(field === "" ? {} : { field }) });
}

/** A body that announces to be too large is refused before anybody reads it, wherever it goes. @throws Problem 413 */
export function assertBodySize({ headers }: Request): void {
  if (Number(headers.get("content-length") ?? 0) > BODY_MAX_BYTES) throw tooLarge();
}

/** The connection stays: who is cut off while sending misses the answer. What goes on arriving is not kept. */
function tooLarge(): Problem {
  return new Problem({
    status: 413,
    code: "E_USAGE",
    detail: `The body is larger than ${BODY_MAX_BYTES} bytes`,
    hint: "Send less",
  });
}

function streamOf({ body }: Request): AsyncIterable<Uint8Array> | Uint8Array[] {
  return body ?? [];
}

async function readText(request: Request): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let sizeBytes = 0;
  for await (const chunk of streamOf(request)) {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_MAX_BYTES) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
