// Which files of a repository a ref means. Pure: a listing goes in, files and remarks come out.

import { LuciError } from "../domain/errors.ts";
import { formatBytes } from "../domain/size.ts";
import { baseName, isGguf, isOtherFramework, isSafetensors, isSafeWeights, runsCode } from "./file-kinds.ts";
import {
  chooseProjector,
  hasToken,
  isProjector,
  parseShard,
  quantOf,
  setKey,
  shardPaths,
} from "./gguf-names.ts";
import type { HubFile } from "./huggingface-api.ts";

const MOST_NAMED = 12;

export interface Selection {
  readonly files: readonly HubFile[];
  /** Sentences for the user. */
  readonly notices: readonly string[];
}

export interface SelectOptions {
  readonly repo: string;
  /** Quantisation or path; null for the whole repository. */
  readonly select: string | null;
  /** Take files that can run code when loaded, too. */
  readonly allowUnsafe: boolean;
}

/**
 * Chooses the files of a ref from a repository's listing.
 * @throws LuciError E_NOT_FOUND naming what is there, E_UNSAFE_FILE
 */
export function selectFiles(files: readonly HubFile[], options: SelectOptions): Selection {
  const { select } = options;
  if (select === null) return selectAll(files, options);
  const file = findPath(files, select);
  if (file !== null) return { files: selectFile(files, { ...options, file }), notices: [] };
  return { files: selectQuant(files, { ...options, select }), notices: [] };
}

/**
 * The file of a path as typed, or in another case when only one fits; null when there is none.
 * @throws LuciError E_NOT_FOUND when several fit
 */
export function findPath(files: readonly HubFile[], path: string): HubFile | null {
  const exact = files.find((file) => file.path === path);
  if (exact !== undefined) return exact;
  const loose = files.filter((file) => file.path.toLowerCase() === path.toLowerCase());
  if (loose.length > 1) {
    throw new LuciError(
      "E_NOT_FOUND",
      `No file is named exactly ${path}: there are ${list(loose.map((file) => file.path))}`,
    );
  }
  return loose[0] ?? null;
}

function selectFile(files: readonly HubFile[], options: SelectOptions & { file: HubFile }): HubFile[] {
  const { file, repo, allowUnsafe } = options;
  if (runsCode(file.path) && !allowUnsafe) {
    throw new LuciError(
      "E_UNSAFE_FILE",
      `${file.path} of ${repo} can run code of its author when it is loaded`,
    );
  }
  return wholeSet(files, file.path, repo);
}

function selectQuant(files: readonly HubFile[], options: SelectOptions & { select: string }): HubFile[] {
  const { select, repo } = options;
  const models = files.filter((file) => isGguf(file.path) && !isProjector(file.path));
  const named = models.filter((file) => quantOf(file.path) === select.toUpperCase());
  const found = named.length > 0 ? named : models.filter((file) => hasToken(file.path, select));
  const sets = [...new Set(found.map((file) => setKey(file.path)))];
  const [first] = found;
  if (first === undefined) throw notThere(models, { select, repo });
  if (sets.length > 1) {
    throw new LuciError(
      "E_NOT_FOUND",
      `${select} fits ${sets.length} models in ${repo}: ${list(firstOfSets(found))}`,
      {
        hint: `Name one: \`hf:${repo}:${first.path}\``,
      },
    );
  }
  const chosen = wholeSet(files, first.path, repo);
  const projector = chooseProjector(
    files.map((file) => file.path),
    first.path,
  );
  return [...chosen, ...files.filter((file) => file.path === projector)];
}

/** The file itself, or all shards of its set in order. */
function wholeSet(files: readonly HubFile[], path: string, repo: string): HubFile[] {
  const shard = parseShard(path);
  const byPath = new Map(files.map((file) => [file.path, file]));
  const wanted = shard === null ? [path] : shardPaths(shard);
  const missing = wanted.filter((name) => !byPath.has(name));
  if (missing.length > 0 || wanted.length === 0) {
    throw new LuciError("E_NOT_FOUND", `${repo} lacks a part of ${baseName(path)}: ${list(missing)}`, {
      hint: "The upload is not complete: choose another quantisation or ask its author",
    });
  }
  return wanted.flatMap((name) => byPath.get(name) ?? []);
}

function selectAll(files: readonly HubFile[], options: SelectOptions): Selection {
  const { repo, allowUnsafe } = options;
  const listed = files.filter((file) => !/^\.git(?:attributes|ignore)$/.test(baseName(file.path)));
  if (listed.length === 0) throw new LuciError("E_NOT_FOUND", `There are no files in ${repo}`);
  if (allowUnsafe) return { files: listed, notices: quantNotices(listed, repo) };
  const hasSafetensors = listed.some((file) => isSafetensors(file.path));
  const unsafe = listed.filter((file) => runsCode(file.path));
  const safe = listed.filter((file) => !runsCode(file.path));
  const kept = safe.filter((file) => !(hasSafetensors && isOtherFramework(file.path)));
  if (!kept.some((file) => isSafeWeights(file.path))) throw noWeights(unsafe, repo);
  return { files: kept, notices: [...unsafeNotices(unsafe), ...quantNotices(kept, repo)] };
}

function noWeights(unsafe: readonly HubFile[], repo: string): LuciError {
  if (unsafe.length === 0) {
    return new LuciError("E_NOT_FOUND", `There are no model files in ${repo}`, {
      hint: "Is it the right repository? Weights are .gguf or .safetensors files",
    });
  }
  const names = list(unsafe.map((file) => file.path));
  return new LuciError(
    "E_UNSAFE_FILE",
    `${repo} offers its weights only as files that can run code when loaded: ${names}`,
  );
}

function unsafeNotices(unsafe: readonly HubFile[]): string[] {
  if (unsafe.length === 0) return [];
  const names = list(unsafe.map((file) => file.path));
  return [`Left out because they can run code when loaded: ${names} (--allow-unsafe takes them)`];
}

function quantNotices(files: readonly HubFile[], repo: string): string[] {
  const models = files.filter((file) => isGguf(file.path) && !isProjector(file.path));
  const quants = quantsOf(models);
  if (quants.length < 2) return [];
  const total = formatBytes(models.reduce((sum, file) => sum + file.sizeBytes, 0));
  return [
    `${repo} holds ${quants.length} quantisations, ${total} in all; for one: luci install hf:${repo}:${quants[0]} (${list(quants)})`,
  ];
}

function notThere(models: readonly HubFile[], { select, repo }: { select: string; repo: string }): LuciError {
  const quants = quantsOf(models);
  const there = quants.length > 0 ? quants : firstOfSets(models);
  const hint =
    there.length > 0
      ? `There is ${list(there)}: \`hf:${repo}:${there[0]}\``
      : `There are no GGUF files: name a file of the repository, or take all of it with \`hf:${repo}\``;
  return new LuciError("E_NOT_FOUND", `There is no ${select} in ${repo}`, { hint });
}

function quantsOf(models: readonly HubFile[]): string[] {
  return [...new Set(models.flatMap((file) => quantOf(file.path) ?? []))].toSorted();
}

/** One path per set, for messages. */
function firstOfSets(files: readonly HubFile[]): string[] {
  return [...new Map(files.toReversed().map((file) => [setKey(file.path), file.path])).values()].toReversed();
}

function list(names: readonly string[]): string {
  const rest = names.length - MOST_NAMED;
  return `${names.slice(0, MOST_NAMED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
