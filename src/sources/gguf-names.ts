// How GGUF files are named: quantisations, shards, projectors. Names only.

import { baseName, folderOf, isGguf } from "./file-kinds.ts";

/** A file that is one of several: `x-00001-of-00003.gguf`. */
export interface Shard {
  /** The path up to the number. */
  readonly stem: string;
  readonly index: number;
  readonly count: number;
}

const SHARD = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/is;
/** A quantisation or number format between delimiters, its variants (`K_M`, `0_4_4`) included. */
const QUANT =
  /(?:^|[-._/])((?:UD-)?(?:I?Q[1-9]\d?(?:_(?:K|XXS|XS|S|M|L|XL|NL|P|\d+)(?=[-._/]|$))*|TQ[12]_0|MXFP\d+(?:_MOE)?|NVFP\d+|BF16|F16|FP16|F32|FP32))(?=[-._/]|$)/gi;

/** The shard a path is; null for a file that is whole by itself. */
export function parseShard(path: string): Shard | null {
  const [, stem, index, count] = SHARD.exec(path) ?? [];
  if (stem === undefined) return null;
  return { stem, index: Number(index), count: Number(count) };
}

/** All paths of the set a shard belongs to, in order. */
export function shardPaths({ stem, count }: Shard): string[] {
  const total = String(count).padStart(5, "0");
  return Array.from(
    { length: count },
    (_, index) => `${stem}-${String(index + 1).padStart(5, "0")}-of-${total}.gguf`,
  );
}

/** Files that belong to one model file share this key: a set of shards, or a file by itself. */
export function setKey(path: string): string {
  const shard = parseShard(path);
  return shard === null ? path : `${shard.stem}-of-${shard.count}`;
}

/** Whether a file is a projector (vision, audio) that goes along with a model file. */
export function isProjector(path: string): boolean {
  return isGguf(path) && /mmproj/i.test(baseName(path));
}

/** The quantisation a path names, upper-case (`Q4_K_M`, `UD-Q2_K_XL`, `BF16`); null when it names none. */
export function quantOf(path: string): string | null {
  const quants = (text: string): string[] =>
    [...withoutEnding(text).matchAll(QUANT)].flatMap((match) => match[1] ?? []);
  const found = quants(baseName(path)).at(-1) ?? quants(folderOf(path)).at(-1);
  return found?.toUpperCase() ?? null;
}

/** Whether a word stands between delimiters in the base name or in a folder's name, in any case. */
export function hasToken(path: string, word: string): boolean {
  const text = `/${withoutEnding(path).toLowerCase()}/`;
  const token = word.toLowerCase();
  for (let at = text.indexOf(token); at !== -1; at = text.indexOf(token, at + 1)) {
    const [before = "", after = ""] = [text[at - 1], text[at + token.length]];
    if (/[-._/]/.test(before) && /[-._/]/.test(after)) return true;
  }
  return false;
}

/**
 * The projector to take along with a model file: from the nearest folder above it, else from anywhere;
 * F16 before BF16 before the first. Null when there is none.
 */
export function chooseProjector(paths: readonly string[], modelPath: string): string | null {
  const all = paths.filter(isProjector);
  const isAbove = (path: string): boolean =>
    folderOf(path) === "" || modelPath.startsWith(`${folderOf(path)}/`);
  const above = all.filter(isAbove);
  const deepest = Math.max(0, ...above.map((path) => folderOf(path).length));
  const nearest = above.filter((path) => folderOf(path).length === deepest);
  const pool = nearest.length > 0 ? nearest : all;
  return (
    ["F16", "BF16"].map((quant) => pool.find((path) => quantOf(path) === quant)).find(Boolean) ??
    pool[0] ??
    null
  );
}

function withoutEnding(path: string): string {
  return path.replace(/(?:-\d{5}-of-\d{5})?\.gguf$/i, "");
}
