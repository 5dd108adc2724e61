// Who may read what: the state of a hub, its token, and the refusals that the real hub gives.

import { createHmac, randomUUID } from "node:crypto";
import type { HubShelf, StoredRepo } from "./hub-repo.ts";
import { errorReply, jsonReply, redirectReply } from "./hub-request.ts";
import type { HubRequest, Reply } from "./hub-request.ts";

/** What every handler needs to know of its hub. */
export interface HubState {
  readonly shelf: HubShelf;
  readonly links: LinkSigner;
  readonly token: string | null;
  /** Entries per page of a listing. */
  readonly pageSize: number;
  /** Small files answer 307 to a relative address first, as huggingface.co does. */
  readonly movesSmallFiles: boolean;
  /** The two origins, known once they listen. */
  readonly url: () => string;
  readonly cdnUrl: () => string;
}

/** Signs the CDN's addresses and knows when they end. */
export class LinkSigner {
  #key = randomUUID();
  lifeMs: number;

  constructor(lifeMs: number) {
    this.lifeMs = lifeMs;
  }

  /** The query that opens a path from now on for `lifeMs`, rounded up to a second. */
  sign(path: string): URLSearchParams {
    const expires = String(Math.ceil((Date.now() + this.lifeMs) / 1000));
    return new URLSearchParams({
      Expires: expires,
      Signature: this.#signature(path, expires),
      "Key-Pair-Id": "LUCI",
    });
  }

  /** Whether the query opens the path now. */
  opens(path: string, query: URLSearchParams): boolean {
    const expires = query.get("Expires") ?? "";
    if (query.get("Signature") !== this.#signature(path, expires)) return false;
    return Date.now() < Number(expires) * 1000;
  }

  /** From now on no link given out before opens anything. */
  expireAll(): void {
    this.#key = randomUUID();
  }

  #signature(path: string, expires: string): string {
    return createHmac("sha256", this.#key).update(`${path}\n${expires}`).digest("base64url");
  }
}

/** Answers `/api/whoami-v2`: whose token it is. */
export function answerWhoAmI(state: HubState, request: HubRequest): Reply {
  const bearer = request.header("authorization");
  if (bearer !== null && bearer === `Bearer ${state.token}`)
    return jsonReply({ type: "user", name: "ada", auth: { type: "access_token" } });
  return errorReply(401, { message: "Invalid username or password." });
}

/**
 * The repository of a name, or the refusal. To a caller without a token a missing repository looks like a
 * private one (401), as on the real hub; listings of gated repositories are public, their files are not.
 */
export function openRepo(
  state: HubState,
  options: { request: HubRequest; name: string; area: "listing" | "files" },
): { repo: StoredRepo } | { refusal: Reply } {
  const { request, name, area } = options;
  const bearer = request.header("authorization");
  if (bearer !== null && bearer !== `Bearer ${state.token}`) {
    return { refusal: errorReply(401, { message: "Invalid credentials in Authorization header" }) };
  }
  const repo = state.shelf.repos.get(name);
  if (!repo || (repo.access === "private" && bearer === null)) {
    return { refusal: repoNotFound(bearer !== null) };
  }
  if (repo.movedTo !== null) {
    const to = request.path.replace(name, repo.movedTo);
    const query = request.query.size > 0 ? `?${request.query.toString()}` : "";
    return { refusal: redirectReply(307, { to: `${to}${query}` }) };
  }
  const isGated = area === "files" && (repo.access === "gated" || repo.access === "denied");
  if (isGated && bearer === null)
    return { refusal: gated(401, { name, sentence: "You must be authenticated to access it." }) };
  if (isGated && repo.access === "denied") {
    return { refusal: gated(403, { name, sentence: "You are not in the authorized list. Ask for access." }) };
  }
  return { repo };
}

/** The refusal for a branch, tag or commit nobody published. */
export function revisionNotFound(revision: string): Reply {
  return errorReply(404, { code: "RevisionNotFound", message: `Invalid rev id: ${revision}` });
}

function repoNotFound(hasToken: boolean): Reply {
  if (!hasToken) return errorReply(401, { code: "RepoNotFound", message: "Invalid username or password." });
  return errorReply(404, { code: "RepoNotFound", message: "Repository not found" });
}

function gated(status: 401 | 403, { name, sentence }: { name: string; sentence: string }): Reply {
  return errorReply(status, {
    code: "GatedRepo",
    message: `Access to model ${name} is restricted. ${sentence}`,
  });
}
