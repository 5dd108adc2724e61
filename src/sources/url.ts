// Plain https addresses: one file each, named by the address, pinned by what the server says of it.

import { LuciError, toLuciError } from "../domain/errors.ts";
import type { Located, Origin, Plan, Validator } from "../domain/plan.ts";
import type { UrlRef } from "../domain/ref.ts";
import { formatRef } from "../domain/ref.ts";
import { redactUrl, withoutSecrets } from "../domain/safe-url.ts";
import { type Answer, isWebPage } from "../platform/http-answer.ts";
import type { Hop } from "../platform/http-redirect.ts";
import type { Http } from "../platform/http.ts";
import { asksForLong, withHint } from "./advice.ts";
import { isGguf, runsCode } from "./file-kinds.ts";
import type { Source } from "./source.ts";
import { nameOfAnswer } from "./url-name.ts";

export interface UrlOptions {
  readonly http: Http;
  /** Digest the user gave for the file, beside the one an address may carry. */
  readonly sha256: string | null;
  /** Addresses as typed in this run: signed ones are complete nowhere else. */
  readonly urls: readonly string[];
  /** Take a file that can run code when loaded. */
  readonly allowUnsafe: boolean;
}

/** Addresses as a source. Signed addresses live in its memory only; plans carry them without signatures. */
export function urlSource(options: UrlOptions): Source {
  /** Address as stored → address as typed. */
  const fullUrls = new Map(options.urls.map((url) => [withoutSecrets(url), url]));
  return {
    resolve: async (ref, { signal }) => {
      if (ref.kind !== "url") throw new Error(`not a URL ref: ${ref.kind}`);
      fullUrls.set(withoutSecrets(ref.url), ref.url);
      return resolveUrl(ref, { ...options, signal });
    },
    locate: async (origin) => locate(origin, fullUrls),
    validatorOf,
    explain: explainUrl,
  };
}

async function resolveUrl(ref: UrlRef, options: UrlOptions & { signal: AbortSignal }): Promise<Plan> {
  const { http, signal, allowUnsafe } = options;
  const origin = { kind: "url", url: withoutSecrets(ref.url) } as const;
  const sha256 = chooseDigest(ref, options.sha256);
  const answer = await http.probe(ref.url, { signal }).catch((thrown: unknown) => {
    if (signal.aborted) throw thrown;
    throw explainUrl(toLuciError(thrown));
  });
  const path = nameOfAnswer(ref.url, answer.headers);
  if (runsCode(path) && !allowUnsafe) {
    throw new LuciError("E_UNSAFE_FILE", `${path} can run code of its author when it is loaded`);
  }
  refuseWebPage(answer, path);
  const sizeBytes = sizeOf(answer);
  if (sizeBytes === 0) throw new LuciError("E_MALFORMED", `${redactUrl(ref.url)} is empty`);
  const isChunked = answer.headers.get("transfer-encoding")?.toLowerCase().includes("chunked") ?? false;
  if (sizeBytes === null && sha256 === null && !isChunked) {
    throw new LuciError(
      "E_UNVERIFIED",
      `${redactUrl(ref.url)} tells neither size nor digest: a cut-off download would pass for a whole one`,
    );
  }
  const digest = sha256 === null ? null : ({ algorithm: "sha256", hex: sha256 } as const);
  return {
    name: modelName(path),
    ref: formatRef(ref),
    source: "url",
    revision: null,
    folder: null,
    files: [{ path, sizeBytes, digest, authority: digest === null ? "none" : "user", origin }],
    notices:
      digest === null
        ? [`Nobody published a digest for ${path}: it cannot be verified (--sha256 HEX gives one)`]
        : [],
  };
}

function chooseDigest(ref: UrlRef, given: string | null): string | null {
  if (given !== null && ref.sha256 !== null && given.toLowerCase() !== ref.sha256) {
    throw new LuciError("E_USAGE", "--sha256 and the address name different digests", {
      hint: "Give one of them",
    });
  }
  return given?.toLowerCase() ?? ref.sha256;
}

function refuseWebPage({ headers, url }: Answer, path: string): void {
  if (!isWebPage(headers, path)) return;
  throw new LuciError("E_MALFORMED", `${redactUrl(url)} is a web page, not a model: is a login needed?`, {
    hint: isGguf(path)
      ? "Use the address of the file itself, the one a browser's download uses"
      : "Check the address",
  });
}

/** The whole file's size; a 200 means that the server sends all of it, whatever was asked for. */
function sizeOf({ status, contentRange, contentLengthBytes }: Answer): number | null {
  return status === 206 ? (contentRange?.totalBytes ?? null) : contentLengthBytes;
}

/** The file name without its ending, lower case. */
function modelName(fileName: string): string {
  return fileName.replace(/(?<=.)\.[^.]+$/, "").toLowerCase();
}

function locate(origin: Origin, fullUrls: ReadonlyMap<string, string>): Located {
  if (origin.kind !== "url") throw new Error(`not a URL origin: ${origin.kind}`);
  return { url: fullUrls.get(origin.url) ?? origin.url, headers: {} };
}

/** A strong ETag of the file itself; a redirect's own ETag says nothing of it. */
function validatorOf({ status, headers }: Hop): Validator {
  const etag = headers.get("etag")?.trim() ?? "";
  const isStrong = status < 300 && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag);
  return { etag: isStrong ? etag : null, sizeBytes: null, sha256: null };
}

function explainUrl(error: LuciError): LuciError {
  switch (error.code) {
    case "E_AUTH":
      return withHint(
        error,
        "If the link was signed it may have expired: run the command again with a new one",
      );
    case "E_NOT_FOUND":
      return withHint(error, "Check the address");
    case "E_RATE_LIMITED":
      return asksForLong(error)
        ? error
        : withHint(error, "Wait a few minutes and run the same command again");
    default:
      return error;
  }
}
