// What went wrong with a request, as RFC 9457 (problem details) tells it, with luci's own code and advice.

import { type ErrorCode, type LuciError, toLuciError } from "../domain/errors.ts";
import { redactText } from "../domain/redact.ts";
import { jsonLine } from "../domain/text.ts";

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};
/** Exit code of an error → status. */
const STATUSES: Readonly<Record<number, number>> = {
  2: 400,
  4: 422,
  5: 502,
  6: 403,
  7: 404,
  8: 507,
  9: 409,
  10: 422,
  130: 409,
};

export interface ProblemOptions {
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint: string;
  /** The part of the body that is wrong, `a.b` for one inside another. */
  readonly field?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown by a route to answer with a problem. */
export class Problem extends Error {
  readonly options: ProblemOptions;

  constructor(options: ProblemOptions) {
    super(options.detail);
    this.options = options;
  }
}

/** The response to whatever a route threw; what is not known is a bug, and told without its stack. */
export function problemResponse(thrown: unknown): Response {
  if (thrown instanceof Problem) return respond(thrown.options);
  const error = toLuciError(thrown);
  const { code, hint, message } = error;
  return respond({ code, hint, status: statusOf(error), detail: redactText(message) });
}

function statusOf({ exit }: LuciError): number {
  return STATUSES[exit] ?? 500;
}

function respond({ status, code, detail, hint, field, headers }: ProblemOptions): Response {
  const title = TITLES[status] ?? "Error";
  const body = { type: "about:blank", title, status, detail, code, hint, ...(field ? { field } : {}) };
  return new Response(`${jsonLine(body)}\n`, {
    status,
    headers: { "Content-Type": "application/problem+json", "Cache-Control": "no-store", ...headers },
  });
}
