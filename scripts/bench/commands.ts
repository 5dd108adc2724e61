// How each program is called to fetch the same files. Quiet, in its usual manner, with nothing tuned but what the
// name of the row says.

import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { DataSet } from "./data.ts";
import { repoOf } from "./hub-pages.ts";
import type { Job } from "./measure.ts";
import type { Contender } from "./race.ts";
import type { Tools } from "./tools.ts";

/** Files to fetch and how. */
export interface Load {
  readonly set: DataSet;
  /** Addresses of the files, in the set's order. */
  readonly urls: readonly string[];
  readonly hubUrl: string;
  readonly tools: Tools;
  readonly luci: string;
}

const SNAPSHOT = join(import.meta.dir, "snapshot.mjs");
const HF_JS = "@huggingface/hub";

type Rows = (Contender | null)[];

/** The contenders that are here. */
export function present(rows: Rows): Contender[] {
  return rows.filter((row) => row !== null);
}

/** luci with every file by its address and digest. */
export function luciByUrl(load: Load, options: { name?: string; flags?: readonly string[] } = {}): Contender {
  const { set, urls } = load;
  const refs = urls.map((url, index) => `${url}#sha256=${set.files[index]?.sha256}`);
  return {
    name: options.name ?? "luci",
    job: (folder) =>
      luciJob(load, { folder, words: ["install", ...refs, "--quiet", ...(options.flags ?? [])] }),
    find: (folder, path) => join(folder, "models", basename(path)),
  };
}

/** luci with the set's repository. */
export function luciByRepo(load: Load, name: string): Contender {
  const repo = repoOf(load.set);
  return {
    name,
    job: (folder) => luciJob(load, { folder, words: ["install", `hf:${repo}`, "--quiet"] }),
    find: (folder, path) => join(folder, "models", repo.replace("/", "--"), path),
  };
}

/** luci at home in a folder, asking only the benchmark's hub. */
export function luciJob(
  load: Pick<Load, "luci" | "hubUrl">,
  { folder, words }: { folder: string; words: readonly string[] },
): Job {
  return { words: [load.luci, ...words], env: { LUCI_HOME: folder, HF_ENDPOINT: load.hubUrl }, folder };
}

/** `curl -o`, and that followed by a check of the digest or by making it durable. */
export function curlOne(load: Load, check?: "sha256sum" | "openssl" | "sync"): Contender | null {
  const curl = load.tools.path("curl");
  const [file] = load.set.files;
  const [url] = load.urls;
  if (curl === null || file === undefined || url === undefined) return null;
  const fetched = [curl, "-fsS", "-o", file.path, url];
  if (check === undefined) return { name: "curl -o", job: (folder) => ({ words: fetched, folder }) };
  const checker = load.tools.path(check);
  if (checker === null) return null;
  const checks = {
    sha256sum: `echo "${file.sha256}  ${file.path}" | ${checker} -c --status`,
    sync: `${checker} ${file.path}`,
    openssl: `test "$(${checker} dgst -sha256 -r ${file.path} | cut -c1-64)" = ${file.sha256}`,
  };
  const words = ["sh", "-c", `${fetched.join(" ")} && ${checks[check]}`];
  return {
    name: `curl && ${check === "openssl" ? "openssl dgst" : check}`,
    job: (folder) => ({ words, folder }),
  };
}

/** aria2c with one file, and whatever flags the name says. */
export function ariaOne(load: Load, flags: readonly string[] = []): Contender | null {
  const aria = load.tools.path("aria2c");
  const [url] = load.urls;
  if (aria === null || url === undefined) return null;
  const words = [aria, "--no-conf", "-q", ...flags, url];
  return { name: ["aria2c", ...flags].join(" "), job: (folder) => ({ words, folder }) };
}

/** wget2 with one file. */
export function wget2One(load: Load): Contender | null {
  const wget2 = load.tools.path("wget2");
  const [file] = load.set.files;
  const [url] = load.urls;
  if (wget2 === null || file === undefined || url === undefined) return null;
  return { name: "wget2", job: (folder) => ({ words: [wget2, "-q", "-O", file.path, url], folder }) };
}

/** ipull's command line, which fetches one file after the other over several connections each. */
export function ipull(load: Load): Contender | null {
  const program = load.tools.path("ipull");
  if (program === null) return null;
  const words = [program, "-st", "summary", "-s", ".", ...load.urls];
  return { name: "ipull", job: (folder) => ({ words, folder }), find: flat };
}

/** `curl -Z` with all files of the set. */
export function curlMany(load: Load, parallel: number): Contender | null {
  const curl = load.tools.path("curl");
  if (curl === null) return null;
  const list = load.urls.map((url, index) => `url = "${url}"\noutput = "${load.set.files[index]?.path}"\n`);
  const words = [curl, "-fsS", "-Z", "--parallel-max", String(parallel), "--create-dirs", "-K", "list.txt"];
  return { name: `curl -Z --parallel-max ${parallel}`, job: withList(words, list) };
}

/** aria2c with a list of all files of the set. */
export function ariaMany(load: Load, parallel: number): Contender | null {
  const aria = load.tools.path("aria2c");
  if (aria === null) return null;
  const list = load.urls.map((url, index) => `${url}\n  out=${load.set.files[index]?.path}\n`);
  const words = [aria, "--no-conf", "-q", `-j${parallel}`, "-i", "list.txt"];
  return { name: `aria2c -j${parallel}`, job: withList(words, list) };
}

/** wget2 with a list of all files of the set. */
export function wget2Many(load: Load, threads: number): Contender | null {
  const wget2 = load.tools.path("wget2");
  if (wget2 === null) return null;
  const words = [wget2, "-q", `--max-threads=${threads}`, "-i", "list.txt"];
  const list = load.urls.map((url) => `${url}\n`);
  return { name: `wget2 -i, ${threads} threads`, job: withList(words, list), find: flat };
}

/** The set's repository through the hub's own client for JavaScript. */
export function huggingfaceJs(load: Load): Contender | null {
  const node = load.tools.path("node");
  if (node === null) return null;
  const words = [node, SNAPSHOT, repoOf(load.set), load.hubUrl];
  return {
    name: HF_JS,
    job: (folder) => ({ words: [...words, join(folder, "cache")], folder }),
    // The script leaves a link to the snapshot beside the cache.
    find: (folder, path) => join(folder, "cache", "snapshot", path),
  };
}

/** The set's repository through the hub's own client for Python. */
export function hfDownload(load: Load): Contender | null {
  const hf = load.tools.path("hf");
  if (hf === null) return null;
  const words = [hf, "download", repoOf(load.set), "--local-dir", "model"];
  return {
    name: "hf download",
    job: (folder) => ({ words, folder, env: hfEnvironment(load.hubUrl, folder) }),
    find: (folder, path) => join(folder, "model", path),
  };
}

function hfEnvironment(hubUrl: string, folder: string): Record<string, string> {
  return {
    HF_ENDPOINT: hubUrl,
    HF_HOME: join(folder, "hf-home"),
    HF_HUB_DISABLE_XET: "1",
    HF_HUB_DISABLE_TELEMETRY: "1",
    HF_HUB_DISABLE_PROGRESS_BARS: "1",
  };
}

function withList(words: readonly string[], list: readonly string[]): Contender["job"] {
  return (folder) => {
    writeFileSync(join(folder, "list.txt"), list.join(""));
    return { words, folder };
  };
}

function flat(folder: string, path: string): string {
  return join(folder, basename(path));
}
