// The audit: what is each file of the models folder? Reads, never changes.

import { join, relative, sep } from "node:path";
import type { Finding, FindingKind } from "../domain/finding.ts";
import { toLuciError } from "../domain/errors.ts";
import type { Range } from "../domain/range.ts";
import { type FileFacts, describeKind } from "../platform/files.ts";
import { PIECE_BYTES } from "../platform/hash.ts";
import { PRIVATE_NAME } from "./layout.ts";
import { type Manifest, type ManifestFile, installedPath, looksUntouched, pathsOf } from "./manifest.ts";
import { describeObstacle, findObstacle } from "./own-folders.ts";
import type { Store } from "./store.ts";
import { type WholeHash, hashWholeFile } from "./whole-hash.ts";

export interface AuditOptions {
  /** Look at size and modification time only. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
  onProgress(hashedBytes: number): void;
}

/** Holds one installed file against its record. @throws only the signal's reason */
export async function auditFile(
  store: Store,
  subject: { model: string; file: ManifestFile },
  options: AuditOptions,
): Promise<Finding> {
  const { file, model } = subject;
  let sizeBytes = file.sizeBytes;
  const finding = (kind: FindingKind, detail: string, badPieces: readonly Range[] = []): Finding => ({
    kind,
    model,
    file: file.path,
    sizeBytes,
    badPieces,
    pieces: file.pieces.length,
    detail,
    quick: options.quick,
  });
  try {
    const path = installedPath(store, file);
    const obstacle = await findObstacle(store, path);
    if (obstacle) return finding("unreadable", describeObstacle(obstacle));
    const facts = await store.files.facts(path);
    if (facts?.kind === "file") ({ sizeBytes } = facts);
    const verdict = judgeFacts(file, facts);
    if (verdict) return finding(verdict.kind, verdict.detail, cutPieces(file, facts));
    if (options.quick) return finding(soundKind(file), touchDetail(file, facts));
    const found = await hashWholeFile(store, path, {
      sizeBytes: file.sizeBytes,
      gitBlob: file.gitSha1 !== null,
      signal: options.signal,
      onProgress: options.onProgress,
    });
    if (found.sha256 === file.sha256) return finding(soundKind(file), "");
    return finding(
      "digest",
      `its SHA-256 is ${found.sha256.slice(0, 12)}… instead of ${file.sha256.slice(0, 12)}…`,
      badPieces(file, found),
    );
  } catch (error) {
    options.signal.throwIfAborted();
    return finding("unreadable", toLuciError(error).message);
  }
}

function soundKind(file: ManifestFile): FindingKind {
  return file.authority === "none" ? "unverifiable" : "ok";
}

function judgeFacts(
  file: ManifestFile,
  facts: FileFacts | null,
): { kind: FindingKind; detail: string } | null {
  if (!facts) return { kind: "missing", detail: "" };
  if (facts.kind !== "file")
    return { kind: "unreadable", detail: `${describeKind(facts.kind)} stands in its place` };
  if (facts.sizeBytes === file.sizeBytes) return null;
  return { kind: "size", detail: `it has ${facts.sizeBytes} bytes instead of ${file.sizeBytes}` };
}

/** Of a file that was cut short: the pieces that are gone. */
function cutPieces(file: ManifestFile, facts: FileFacts | null): Range[] {
  if (facts?.kind !== "file" || facts.sizeBytes > file.sizeBytes) return [];
  const firstLost = Math.floor(facts.sizeBytes / PIECE_BYTES);
  return file.pieces.flatMap((_, piece) => (piece < firstLost ? [] : [pieceRange(file, piece)]));
}

function pieceRange(file: ManifestFile, piece: number): Range {
  const startBytes = piece * PIECE_BYTES;
  return { startBytes, endBytes: Math.min(startBytes + PIECE_BYTES, file.sizeBytes) };
}

function touchDetail(file: ManifestFile, facts: FileFacts | null): string {
  return looksUntouched(file, facts) ? "" : "it was written to since it was installed: run a full verify";
}

/** The pieces whose fingerprint is not the recorded one. */
function badPieces(file: ManifestFile, found: WholeHash): Range[] {
  return found.pieces.flatMap((mark, piece) =>
    mark === file.pieces[piece] ? [] : [pieceRange(file, piece)],
  );
}

/** A file below the models folder that no manifest names. */
export interface Stranger {
  /** Absolute. */
  readonly path: string;
  /** Relative to the models folder, with forward slashes. */
  readonly name: string;
  readonly sizeBytes: number;
}

/** Files of the models folder that belong to no model. Links are listed, not followed. */
export async function findStrangers(store: Store, manifests: readonly Manifest[]): Promise<Stranger[]> {
  const known = pathsOf(manifests);
  const strangers: Stranger[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const name of await store.files.list(folder)) {
      if (name === PRIVATE_NAME && folder === store.layout.modelsFolder) continue;
      const path = join(folder, name);
      const facts = await store.files.facts(path);
      if (facts?.kind === "folder") await walk(path);
      else if (facts) {
        const plain = relative(store.layout.modelsFolder, path).split(sep).join("/");
        if (!known.has(plain)) strangers.push({ path, name: plain, sizeBytes: facts.sizeBytes });
      }
    }
  };
  await walk(store.layout.modelsFolder);
  return strangers;
}
