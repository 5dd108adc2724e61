// The journal of a partial: which ranges are durable, for which version of the file, how far the hash is.
// Replaced atomically after fdatasync of the data. A journal that does not prove itself is no journal.

import { createHash } from "node:crypto";
import {
  array,
  literal,
  nullable,
  number,
  object,
  pipe,
  maxLength,
  minValue,
  safeInteger,
  safeParse,
  string,
  tuple,
  type InferOutput,
} from "valibot";
import { parseJson } from "../domain/json-shape.ts";
import {
  type Range,
  addRange,
  containsRange,
  frontierBytes,
  subtractRange,
  totalSize,
} from "../domain/range.ts";
import type { FileFacts } from "../platform/files.ts";
import { PIECE_BYTES } from "../platform/hash.ts";
import { bootId } from "../platform/machine.ts";
import type { HashCheckpoint } from "./frontier-hash.ts";
import { journalPath } from "./layout.ts";
import type { Store } from "./store.ts";

const bytes = pipe(number(), safeInteger(), minValue(0));
/** Far more than connections and damaged pieces make; each later write costs as much as there are. */
const MOST_RANGES = 10_000;
const journalSchema = object({
  format: literal(1),
  key: string(),
  /** For people: "model · file". */
  label: string(),
  sizeBytes: nullable(bytes),
  etag: nullable(string()),
  ranges: pipe(array(tuple([bytes, bytes])), maxLength(MOST_RANGES)),
  /** XXH3-64 per piece, null where not yet known. */
  pieces: array(nullable(string())),
  /** hash-wasm's SHA-256 state after `hashedBytes`, base64. */
  hash: nullable(object({ hashedBytes: bytes, state: string() })),
  /** The data file exactly as this checkpoint left it. */
  seen: object({ bootId: string(), inode: string(), sizeBytes: bytes, modifiedNs: string() }),
});

export type Journal = InferOutput<typeof journalSchema>;

/** Larger than any journal of a file of a few TB. */
const MAX_JOURNAL_BYTES = 64 * 1024 * 1024;

function checksum(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}

/** The journal as text, under a checksum of its own: flipped hash states load silently. */
export function formatJournal(journal: Journal): string {
  const body = JSON.stringify(journal);
  return `{"check":"${checksum(body)}","journal":${body}}\n`;
}

/** The journal, or null if the text is torn, of another version, of another file or not ours. */
export function parseJournal(text: string, key: string): Journal | null {
  const match = /^\{"check":"([0-9a-f]{64})","journal":(.*)\}\n$/s.exec(text);
  const body = match?.[2];
  if (body === undefined || checksum(body) !== match?.[1]) return null;
  const parsed = safeParse(journalSchema, tryParse(body));
  return parsed.success && parsed.output.key === key ? parsed.output : null;
}

function tryParse(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}

/** The journal that belongs to a key, or null if there is no sound one. */
export async function readJournal({ files, layout }: Store, key: string): Promise<Journal | null> {
  const path = journalPath(layout, key);
  const facts = await files.facts(path);
  if (facts?.kind !== "file" || facts.sizeBytes > MAX_JOURNAL_BYTES) return null;
  const text = await files.readText(path, { maxBytes: MAX_JOURNAL_BYTES });
  return text === null ? null : parseJournal(text, key);
}

/** How many bytes a journal claims. */
export function keptBytesIn({ ranges }: Journal): number {
  return totalSize(ranges.map(([startBytes, endBytes]) => ({ startBytes, endBytes })));
}

/** What a checkpoint is made of. */
export interface JournalParts extends Pick<Journal, "key" | "label" | "sizeBytes" | "etag"> {
  readonly durable: readonly Range[];
  /** Fingerprints by piece; those of pieces that are not wholly durable are left out. */
  readonly pieces: readonly (string | null)[];
  readonly checkpoint: HashCheckpoint | null;
  /** The data file after its fdatasync. */
  readonly facts: FileFacts;
}

/** Writes a checkpoint down. */
export function makeJournal(parts: JournalParts): Journal {
  const { key, label, sizeBytes, etag, durable, checkpoint, facts } = parts;
  return {
    format: 1,
    key,
    label,
    sizeBytes,
    etag,
    ranges: durable.map((range) => [range.startBytes, range.endBytes]),
    pieces: parts.pieces.map((mark, piece) => (holdsPiece(durable, piece, sizeBytes) ? mark : null)),
    hash: checkpoint && {
      hashedBytes: checkpoint.hashedBytes,
      state: Buffer.from(checkpoint.state).toString("base64"),
    },
    seen: { bootId: bootId(), ...seenFacts(facts) },
  };
}

function seenFacts({ inode, sizeBytes, modifiedNs }: FileFacts): Omit<Journal["seen"], "bootId"> {
  return { inode, sizeBytes, modifiedNs };
}

/** What is left of ranges when a piece is dropped. */
export function withoutPiece(written: Range[], piece: number): Range[] {
  const startBytes = piece * PIECE_BYTES;
  return subtractRange(written, { startBytes, endBytes: startBytes + PIECE_BYTES });
}

function holdsPiece(durable: readonly Range[], piece: number, sizeBytes: number | null): boolean {
  const startBytes = piece * PIECE_BYTES;
  const endBytes = Math.min(startBytes + PIECE_BYTES, sizeBytes ?? Number.MAX_SAFE_INTEGER);
  return containsRange(durable, { startBytes, endBytes });
}

/** What a journal is worth, given the data file beside it. */
export interface Believed {
  readonly written: Range[];
  readonly checkpoint: HashCheckpoint | null;
  /** Fingerprints to hold the data against while it is read again. */
  readonly expected: readonly (string | null)[];
}

/**
 * Believes a journal as far as the data file bears it out: its ranges, cut to what the file can hold, and
 * its hash state only if nobody touched the file since. Of a touched file that no digest decides over in the
 * end, only pieces with a fingerprint can be proved. Null when it speaks of a file of another size.
 */
export function believeJournal(
  journal: Journal,
  { facts, sizeBytes, hasDigest }: { facts: FileFacts; sizeBytes: number | null; hasDigest: boolean },
): Believed | null {
  if (journal.sizeBytes !== null && sizeBytes !== null && journal.sizeBytes !== sizeBytes) return null;
  const claimed = journal.ranges
    .map(([startBytes, endBytes]) => ({ startBytes, endBytes: Math.min(endBytes, facts.sizeBytes) }))
    .filter((range) => range.startBytes < range.endBytes)
    .reduce<Range[]>(addRange, []);
  const { seen, hash } = journal;
  const now = { bootId: bootId(), ...seenFacts(facts) };
  const untouched =
    seen.bootId === now.bootId &&
    seen.inode === now.inode &&
    seen.sizeBytes === now.sizeBytes &&
    seen.modifiedNs === now.modifiedNs;
  const written = untouched || hasDigest ? claimed : provableRanges(claimed, journal.pieces);
  const checkpoint =
    untouched && hash && hash.hashedBytes % PIECE_BYTES === 0 && hash.hashedBytes <= frontierBytes(written)
      ? { hashedBytes: hash.hashedBytes, state: Buffer.from(hash.state, "base64") }
      : null;
  return { written, checkpoint, expected: journal.pieces };
}

function provableRanges(claimed: readonly Range[], pieces: Journal["pieces"]): Range[] {
  let provable = [...claimed];
  const lastPiece = Math.ceil((claimed.at(-1)?.endBytes ?? 0) / PIECE_BYTES);
  for (let piece = 0; piece < lastPiece; piece += 1) {
    const startBytes = piece * PIECE_BYTES;
    // A journal has null, and an installed file's record an empty text, for a piece nobody knows.
    if (!pieces[piece])
      provable = subtractRange(provable, { startBytes, endBytes: startBytes + PIECE_BYTES });
  }
  return provable;
}
