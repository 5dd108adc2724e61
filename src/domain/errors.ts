// The one error class and the one table of error codes.
// Everything a user can meet is a LuciError; anything else that reaches the front door is a bug.

interface ErrorRow {
  readonly exit: number;
  readonly retryable: boolean;
  readonly hint: string;
}

/** code → process exit code, whether the same attempt may be tried again, and the default advice. */
export const ERROR_TABLE = {
  E_INTERNAL: {
    exit: 1,
    retryable: false,
    hint: "This is a bug in luci: please report it with the lines above",
  },
  E_USAGE: { exit: 2, retryable: false, hint: "`luci --help` shows the commands and their flags" },
  E_REF_SYNTAX: {
    exit: 2,
    retryable: false,
    hint: "A model is a catalog name, `hf:org/repo[@revision][:quant-or-path]` or an https URL",
  },
  E_CONFIG: { exit: 2, retryable: false, hint: "Correct the named setting and run the command again" },
  E_SOME_FAILED: {
    exit: 3,
    retryable: false,
    hint: "Each reason is told above; once mended, the same command goes on: what is done is kept",
  },
  E_DAMAGED: { exit: 4, retryable: false, hint: "`luci verify --repair` fetches only the damaged pieces" },
  E_DIGEST: {
    exit: 4,
    retryable: false,
    hint: "Run the command again; if it repeats, the published file is wrong",
  },
  E_SIZE: { exit: 4, retryable: false, hint: "The server and its own listing disagree: try again later" },
  E_CHANGED: {
    exit: 4,
    retryable: false,
    hint: "The file changed at its source: run the command again to take the new one",
  },
  E_UNVERIFIED: { exit: 4, retryable: false, hint: "Give its digest with `--sha256 HEX` or `#sha256=HEX`" },
  E_NETWORK: {
    exit: 5,
    retryable: true,
    hint: "Check the connection and run the same command again: what arrived is kept",
  },
  E_STALLED: { exit: 5, retryable: true, hint: "Run the same command again: what arrived is kept" },
  E_RATE_LIMITED: {
    exit: 5,
    retryable: true,
    hint: "Wait a few minutes, or set HF_TOKEN for a higher limit",
  },
  E_SERVER: {
    exit: 5,
    retryable: true,
    hint: "The server is in trouble: try again later, what arrived is kept",
  },
  E_TLS: {
    exit: 5,
    retryable: false,
    hint: "If your network inspects TLS, or the server is your own, name its certificate with --ca-file",
  },
  E_TIMEOUT: {
    exit: 5,
    retryable: false,
    hint: "Wait longer with --timeout, or see with `luci ps` what is on its way",
  },
  E_PROXY: { exit: 5, retryable: false, hint: "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY" },
  E_AUTH: { exit: 6, retryable: false, hint: "Set HF_TOKEN to a token that may read this repository" },
  E_GATED: { exit: 6, retryable: false, hint: "Accept the model's terms on its page, then set HF_TOKEN" },
  E_NOT_FOUND: {
    exit: 7,
    retryable: false,
    hint: "Check the spelling: `luci list --available` shows the catalog",
  },
  E_GONE: { exit: 7, retryable: false, hint: "It was withdrawn at its source: choose another model" },
  E_NO_SPACE: {
    exit: 8,
    retryable: false,
    hint: "Free some space (`luci cleanup`, `luci usage`) or choose another folder with --dir",
  },
  E_IO: { exit: 8, retryable: false, hint: "Check the disk, then run the same command again" },
  E_PERMISSION: {
    exit: 8,
    retryable: false,
    hint: "Choose a folder you may write to with --dir or LUCI_MODELS",
  },
  E_LOCKED: { exit: 9, retryable: false, hint: "Wait for the other luci to finish" },
  E_UNSAFE_PATH: {
    exit: 10,
    retryable: false,
    hint: "The source names a file outside its folder: do not trust it",
  },
  E_UNSAFE_FILE: { exit: 10, retryable: false, hint: "If you trust its author, add --allow-unsafe" },
  E_UNSAFE_URL: { exit: 10, retryable: false, hint: "Use an https address" },
  E_MALFORMED: {
    exit: 10,
    retryable: false,
    hint: "The source sent something that is not what it claims to be",
  },
  E_CANCELLED: { exit: 130, retryable: false, hint: "Run the same command again to continue" },
  E_INTERRUPTED: { exit: 130, retryable: false, hint: "Run the same command again to continue" },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export interface ErrorOptions {
  /** Advice that fits better than the table's. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Server's wish before the next attempt, from Retry-After. */
  readonly retryAfterMs?: number;
  /** Exit code where the table's does not say enough (which signal it was). */
  readonly exit?: number;
  /** True where the table's `retryable` does not fit this one case, or false. */
  readonly retryable?: boolean;
}

/** Everything that can go wrong for a reason outside luci, with what to do next. */
export class LuciError extends Error {
  override readonly name = "LuciError";
  readonly code: ErrorCode;
  readonly hint: string;
  readonly exit: number;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const row: ErrorRow = ERROR_TABLE[code];
    this.code = code;
    this.hint = options.hint ?? row.hint;
    this.exit = options.exit ?? row.exit;
    this.retryable = options.retryable ?? row.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** An error as it travels in events and in `--json`: plain data, no stack. */
export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
  readonly exit: number;
}

/** Turns whatever was thrown into a LuciError; what is not one already is a bug (E_INTERNAL, cause kept). */
export function toLuciError(thrown: unknown): LuciError {
  if (thrown instanceof LuciError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new LuciError("E_INTERNAL", message, { cause: thrown });
}

/** The plain-data form of whatever was thrown. */
export function reportError(thrown: unknown): ErrorReport {
  const { code, message, hint, exit } = toLuciError(thrown);
  return { code, message, hint, exit };
}

/** Whether an error is only the interrupt, seen by a promise that nobody waits for any more. */
export function isEcho(signal: AbortSignal, thrown: unknown): boolean {
  return (
    signal.aborted && (thrown === signal.reason || (thrown instanceof Error && thrown.name === "AbortError"))
  );
}
