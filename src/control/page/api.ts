// Asks the luci this page came from. Knows the wire, nothing of how things look.

import { keptToken } from "./token.ts";

type Method = "GET" | "POST" | "PATCH" | "DELETE";

/** The body of an `application/problem+json`. */
interface ProblemBody {
  readonly detail?: string;
  readonly hint?: string;
  readonly code?: string;
}

/** luci said no. The message is fit to be shown, and so is the hint. */
export class Refusal extends Error {
  readonly status: number;
  readonly hint: string;

  constructor(status: number, { detail, hint }: ProblemBody) {
    super(detail ?? `luci answered ${status}`);
    this.status = status;
    this.hint = hint ?? "";
  }
}

/** Nobody answered. */
export class Lost extends Error {
  constructor() {
    super("luci does not answer. Is `luci serve` still running?");
  }
}

export interface AskOptions {
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Instead of the kept one. */
  readonly token?: string;
}

/** What is asked of luci. @throws Refusal, Lost, and the signal's reason */
export type Ask = <Answer>(method: Method, path: string, options?: AskOptions) => Promise<Answer>;

/** Asks once, with the token of this tab. */
export async function askOnce<Answer>(
  method: Method,
  path: string,
  { body, signal, token = keptToken() ?? undefined }: AskOptions = {},
): Promise<Answer> {
  const headers = new Headers({ Accept: "application/json" });
  if (token !== undefined) headers.set("Authorization", `Bearer ${headerSafe(token)}`);
  if (body !== undefined) headers.set("Content-Type", "application/json");
  const init: RequestInit = { method, headers, cache: "no-store", redirect: "error", credentials: "omit" };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal) init.signal = signal;
  const response = await fetch(path, init).catch(() => {
    signal?.throwIfAborted();
    throw new Lost();
  });
  const data = await readJson(response, signal);
  if (response.ok) return data as Answer;
  throw new Refusal(response.status, data ?? {});
}

/** A header takes no spaces or letters of other scripts; no token has any. */
function headerSafe(token: string): string {
  return token.replaceAll(/[^\x21-\x7e]/g, "?");
}

async function readJson(response: Response, signal: AbortSignal | undefined): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch {
    signal?.throwIfAborted();
    throw new Lost();
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
