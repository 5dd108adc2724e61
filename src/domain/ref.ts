// What a person types to name models, as data. Pure: whether such a model exists is not known here.

import { LuciError } from "./errors.ts";
import type { HuggingfaceRef } from "./ref-hub.ts";
import { parseHubPage, parseHubText } from "./ref-hub.ts";
import { checkUrl, redactUrl, withoutSecrets } from "./safe-url.ts";

export type Group = "core" | "all";

export interface UrlRef {
  readonly kind: "url";
  /** As typed, signatures included: never store or show it, `formatRef` does that. */
  readonly url: string;
  readonly sha256: string | null;
}

export type Ref =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "group"; readonly group: Group }
  | { readonly kind: "tier"; readonly tier: number }
  | HuggingfaceRef
  | UrlRef;

export interface RefOptions {
  /** Base URL of the hub in use; its page addresses are understood like huggingface.co's. */
  readonly hubEndpoint?: string;
}

const PUBLIC_HUB_HOSTS = ["huggingface.co", "www.huggingface.co", "hf.co"];
const NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/;
const GROUP_WORDS = new Map<string, Group>([
  ["core", "core"],
  ["essential", "core"],
  ["essentials", "core"],
  ["all", "all"],
  ["everything", "all"],
]);

/**
 * Reads the words of a command line as refs: catalog names, `core models`, `tier 2`, `hf:…`, page
 * addresses of the hub, URLs. Each ref is returned once.
 * @throws LuciError E_REF_SYNTAX, E_UNSAFE_URL, E_UNSAFE_PATH
 */
export function parseRefs(words: readonly string[], options: RefOptions = {}): Ref[] {
  const rest = words.flatMap((word) => (/[:/]/.test(word) ? [word.trim()] : word.trim().split(/ +/)));
  const refs = new Map<string, Ref>();
  while (rest.length > 0) {
    const ref = takeRef(rest, options);
    const key = ref.kind === "url" ? `${ref.url}#${ref.sha256}` : formatRef(ref);
    if (!refs.has(key)) refs.set(key, ref);
  }
  return [...refs.values()];
}

/** The canonical text of a ref, without secrets: `parseRefs` reads it back. */
export function formatRef(ref: Ref): string {
  switch (ref.kind) {
    case "name":
      return ref.name;
    case "group":
      return `${ref.group} models`;
    case "tier":
      return `tier ${ref.tier}`;
    case "huggingface":
      return `hf:${ref.repo}${ref.revision === null ? "" : `@${ref.revision}`}${ref.select === null ? "" : `:${ref.select}`}`;
    case "url":
      return `${withoutSecrets(ref.url)}${ref.sha256 === null ? "" : `#sha256=${ref.sha256}`}`;
  }
}

/** Takes one ref off the front of the words. */
function takeRef(rest: string[], options: RefOptions): Ref {
  const word = rest.shift() ?? "";
  const lower = word.toLowerCase();
  const group = GROUP_WORDS.get(lower);
  if (group !== undefined) {
    takeModelsWord(rest);
    return { kind: "group", group };
  }
  const tier = /^tier(?:-?(\d{1,2}))?$/.exec(lower);
  if (tier !== null) return takeTier(tier[1] ?? rest.shift(), rest);
  return parseWord(word, options);
}

function takeTier(digits: string | undefined, rest: string[]): Ref {
  if (digits === undefined || !/^\d{1,2}$/.test(digits)) {
    throw new LuciError("E_REF_SYNTAX", "`tier` needs a number", { hint: "For example: `tier 2`" });
  }
  takeModelsWord(rest);
  return { kind: "tier", tier: Number(digits) };
}

function takeModelsWord(rest: string[]): void {
  if (/^models?$/i.test(rest[0] ?? "")) rest.shift();
}

function parseWord(word: string, options: RefOptions): Ref {
  if (word === "" || /[\p{Cc}\p{Cs}]/u.test(word))
    throw new LuciError("E_REF_SYNTAX", `Not a model: ${quote(word)}`);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(word)?.[1]?.toLowerCase();
  if (scheme === "hf" || scheme === "huggingface") return parseHubText(word.slice(scheme.length + 1));
  if (scheme === "http" || scheme === "https") return parseAddress(word, options);
  const host = word.split("/", 1)[0]?.toLowerCase() ?? "";
  if (word.includes("/") && PUBLIC_HUB_HOSTS.includes(host)) {
    const isPage = word.split("/").length > 3;
    return isPage ? parseAddress(`https://${word}`, options) : parseHubText(word.slice(host.length + 1));
  }
  if (scheme === "ollama" || scheme === "oci") {
    throw new LuciError(
      "E_REF_SYNTAX",
      `This version of luci does not know \`${scheme}:\` models: ${quote(word)}`,
    );
  }
  return parseName(word, scheme);
}

function parseName(word: string, scheme: string | undefined): Ref {
  const name = word.toLowerCase();
  if (NAME.test(name)) {
    if (!/^models?$/.test(name)) return { kind: "name", name };
    throw new LuciError("E_REF_SYNTAX", `Which models? ${quote(word)} alone names none`, {
      hint: "`core models`, `all models` or the name of a model",
    });
  }
  if (scheme !== undefined && word.startsWith("//", scheme.length + 1)) {
    throw new LuciError("E_REF_SYNTAX", `luci does not know addresses that begin with \`${scheme}:\``);
  }
  if (/^[\w.-]+\/[\w.-]+(?:[@:].+)?$/.test(word) && !/^\.*\//.test(word)) {
    throw new LuciError("E_REF_SYNTAX", `${quote(word)} is not a name of the catalog`, {
      hint: `For a Hugging Face repository write \`hf:${word}\``,
    });
  }
  throw new LuciError("E_REF_SYNTAX", `Not a model: ${quote(word)}`);
}

function parseAddress(word: string, options: RefOptions): HuggingfaceRef | UrlRef {
  if (!URL.canParse(word)) throw new LuciError("E_REF_SYNTAX", `Not an address: ${redactUrl(word)}`);
  assertNoLogin(word);
  const url = checkUrl(word);
  const sha256 = fragmentDigest(url);
  url.hash = "";
  // A digest the user insists on is held against the plain file; the hub's own listing knows another way.
  if (sha256 === null && isHubHost(url, options)) return parseHubPage(url, options.hubEndpoint);
  return { kind: "url", url: url.href, sha256 };
}

/** What is kept of an address has no login in it: an install that begins with one could not be continued. */
function assertNoLogin(word: string): void {
  const url = new URL(word);
  if (url.username === "" && url.password === "") return;
  throw new LuciError(
    "E_REF_SYNTAX",
    `A user name or password in an address is not used: ${redactUrl(word)}`,
    {
      hint: "Credentials in an address are kept nowhere: use a signed link, or fetch from a server of yours that adds them",
    },
  );
}

function isHubHost(url: URL, { hubEndpoint }: RefOptions): boolean {
  if (url.protocol === "https:" && PUBLIC_HUB_HOSTS.includes(url.host)) return true;
  return hubEndpoint !== undefined && URL.parse(hubEndpoint)?.origin === url.origin;
}

function fragmentDigest(url: URL): string | null {
  const claim = /^#sha-?256[=:](.*)$/i.exec(url.hash)?.[1];
  if (claim === undefined) return null;
  if (/^[0-9a-f]{64}$/i.test(claim)) return claim.toLowerCase();
  throw new LuciError("E_REF_SYNTAX", `The digest of ${redactUrl(url.href)} is not 64 hexadecimal digits`);
}

function quote(word: string): string {
  return JSON.stringify(word.length > 80 ? `${word.slice(0, 80)}…` : word);
}
