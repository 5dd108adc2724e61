// Hugging Face repositories: `hf:` refs and the catalog's entries become plans pinned to a commit.

import { LuciError } from "../domain/errors.ts";
import type { Located, Origin, Plan, Validator } from "../domain/plan.ts";
import type { HuggingfaceRef } from "../domain/ref-hub.ts";
import { formatRef } from "../domain/ref.ts";
import { parseBytes } from "../platform/http-answer.ts";
import type { Hop } from "../platform/http-redirect.ts";
import type { Http } from "../platform/http.ts";
import type { CatalogModel } from "./catalog-schema.ts";
import { runsCode } from "./file-kinds.ts";
import { explainHub } from "./huggingface-advice.ts";
import type { HubApi, HubFile } from "./huggingface-api.ts";
import { authorization, createHubApi } from "./huggingface-api.ts";
import { resolveCatalogFiles } from "./huggingface-catalog.ts";
import { folderName, fromHub, makePlan } from "./huggingface-plan.ts";
import { findPath, selectFiles } from "./huggingface-select.ts";
import type { Source, SourceOptions } from "./source.ts";

export interface HuggingfaceOptions {
  readonly http: Http;
  /** Base URL of the hub without a trailing slash. */
  readonly endpoint: string;
  /** Sent to the hub's own origin only. */
  readonly token: string | null;
  readonly allowUnsafe: boolean;
}

export interface HuggingfaceSource extends Source {
  /**
   * Pins a model of the catalog. Asks nobody when the catalog knows its commit, all sizes and digests.
   * @throws LuciError E_CHANGED when the hub serves another file than the catalog pins; as `resolve`
   */
  resolveCatalogModel(model: CatalogModel, options: SourceOptions): Promise<Plan>;
}

/** The hub as a source. */
export function huggingfaceSource({
  http,
  endpoint,
  token,
  allowUnsafe,
}: HuggingfaceOptions): HuggingfaceSource {
  const access = { endpoint, token };
  const api = createHubApi({ http, ...access });
  return {
    resolve: async (ref, { signal }) => {
      if (ref.kind !== "huggingface") throw new Error(`not a Hugging Face ref: ${ref.kind}`);
      return resolveRef(ref, { api, allowUnsafe, signal });
    },
    resolveCatalogModel: async (model, { signal }) => {
      const unsafe = model.source.files.find((file) => runsCode(file.path) && !allowUnsafe);
      if (unsafe !== undefined) {
        throw new LuciError(
          "E_UNSAFE_FILE",
          `${unsafe.path} of ${model.name} can run code of its author when it is loaded`,
        );
      }
      const { revision, files } = await resolveCatalogFiles(model, { api, signal });
      const { repo } = model.source;
      const folder = files.length > 1 ? folderName(repo) : null;
      return makePlan(files, { name: model.name, ref: model.name, repo, revision, folder, notices: [] });
    },
    locate: async (origin) => locate(origin, access),
    validatorOf,
    explain: (error, origin) =>
      origin.kind === "huggingface" ? explainHub(error, { ...access, repo: origin.repo }) : error,
  };
}

interface ResolveOptions {
  readonly api: HubApi;
  readonly allowUnsafe: boolean;
  readonly signal: AbortSignal;
}

async function resolveRef(ref: HuggingfaceRef, { api, allowUnsafe, signal }: ResolveOptions): Promise<Plan> {
  const { repo, select } = ref;
  const revision = await api.commitOf(repo, { revision: ref.revision, signal });
  const listing = await api.files(repo, { commit: revision, signal });
  const { files, notices } = selectFiles(listing, { repo, select, allowUnsafe });
  const folder = select === null || files.length > 1 ? folderName(repo) : null;
  const name = modelName(ref, listing);
  return makePlan(files.map(fromHub), { name, ref: formatRef(ref), repo, revision, folder, notices });
}

/** `org/repo`, with the revision if one was asked for, and the file as listed or the quantisation in upper case. */
function modelName({ repo, revision, select }: HuggingfaceRef, listing: readonly HubFile[]): string {
  const name = `${repo}${revision === null ? "" : `@${revision}`}`;
  if (select === null) return name;
  const path = findPath(listing, select)?.path;
  return `${name}:${path ?? select.toUpperCase()}`;
}

function locate(origin: Origin, { endpoint, token }: { endpoint: string; token: string | null }): Located {
  if (origin.kind !== "huggingface") throw new Error(`not a Hugging Face origin: ${origin.kind}`);
  const path = origin.path.split("/").map(encodeURIComponent).join("/");
  const revision = encodeURIComponent(origin.revision);
  return { url: `${endpoint}/${origin.repo}/resolve/${revision}/${path}`, headers: authorization(token) };
}

/** The hub's own hop: `X-Linked-Etag` is the SHA-256 of large files. The CDN's ETag is no use. */
function validatorOf({ headers }: Hop): Validator {
  const sha256 = /^"?([0-9a-f]{64})"?$/.exec(headers.get("x-linked-etag")?.trim() ?? "")?.[1] ?? null;
  return { etag: null, sha256, sizeBytes: parseBytes(headers.get("x-linked-size")?.trim() ?? null) };
}
