// A server of bytes made by offset, over a link whose rate all connections share. It needs no disk, and tells
// which bytes went out and when: what nginx's per-connection limit and log cannot do.

import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import type { Range } from "../../src/domain/range.ts";
import { MIB } from "./data.ts";
import { randomBytes } from "./random.ts";

export interface Link {
  readonly url: string;
  readonly port: number;
  /** Called for every piece once the socket took it. */
  onSent: ((sent: Range) => void) | null;
  stop(): Promise<void>;
}

export interface LinkOptions {
  readonly sizeBytes: number;
  /** Bytes per second of all connections together; null is as fast as it goes. */
  readonly rateBytesPerSec: number | null;
  /** Largest piece that is sent and counted at once. */
  readonly pieceBytes?: number;
}

/** Every block of a mebibyte begins with its number, so that bytes at a wrong place change the digest. */
const STAMP_BYTES = 8;
const LARGEST_PIECE_BYTES = 256 * 1024;
/** Timers are no finer than a millisecond or so. */
const SHORTEST_WAIT_MS = 4;
const DIGEST_STEP_BYTES = 256 * MIB;

/** Name of the file that a link serves. */
export const LINK_FILE = "generated.dat";

/** Listens on a free port of 127.0.0.1. */
export async function startLink(options: LinkOptions): Promise<Link> {
  const pace = createPace(options.rateBytesPerSec);
  const block = makeBlock();
  const server = createServer((request, response) => {
    // A client that is killed while its answer goes out is what this server is for.
    const sent = (range: Range) => link.onSent?.(range);
    answer({ request, response }, { ...options, pace, block, sent }).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const link: Link = {
    url: `http://127.0.0.1:${port}/${LINK_FILE}`,
    port,
    onSent: null,
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return link;
}

/** The SHA-256 of a link's file. */
export async function linkDigest(sizeBytes: number): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  const block = makeBlock();
  for (let atBytes = 0; atBytes < sizeBytes; atBytes += DIGEST_STEP_BYTES) {
    const endBytes = Math.min(sizeBytes, atBytes + DIGEST_STEP_BYTES);
    for (const piece of pieces(block, { startBytes: atBytes, endBytes }, LARGEST_PIECE_BYTES))
      hash.update(piece);
    await Bun.sleep(0);
  }
  return hash.digest("hex");
}

interface Answering extends LinkOptions {
  readonly pace: Pace;
  readonly block: Buffer;
  readonly sent: (range: Range) => void;
}

async function answer(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  { sizeBytes, pace, block, sent, pieceBytes = LARGEST_PIECE_BYTES }: Answering,
): Promise<void> {
  const asked = readRange(request.headers.range, sizeBytes);
  const range = asked ?? { startBytes: 0, endBytes: sizeBytes };
  if (range.startBytes >= range.endBytes) {
    response.writeHead(416, { "Content-Range": `bytes */${sizeBytes}` }).end();
    return;
  }
  response.writeHead(asked === null ? 200 : 206, {
    "Accept-Ranges": "bytes",
    "Content-Length": String(range.endBytes - range.startBytes),
    "Content-Type": "application/octet-stream",
    ETag: `"generated-${sizeBytes}"`,
    "Last-Modified": "Thu, 15 Jan 2026 12:00:00 GMT",
    ...(asked === null
      ? {}
      : { "Content-Range": `bytes ${range.startBytes}-${range.endBytes - 1}/${sizeBytes}` }),
  });
  if (request.method !== "HEAD") {
    let atBytes = range.startBytes;
    for (const piece of pieces(block, range, pieceBytes)) {
      await pace(piece.length);
      if (response.destroyed || (!response.write(piece) && !(await drained(response)))) return;
      sent({ startBytes: atBytes, endBytes: atBytes + piece.length });
      atBytes += piece.length;
    }
  }
  response.end();
}

/** `bytes=a-b` or `bytes=a-`; null without a range. */
function readRange(header: string | undefined, sizeBytes: number): Range | null {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined) return null;
  const endBytes = last === undefined || last === "" ? sizeBytes : Number(last) + 1;
  return { startBytes: Number(first), endBytes: Math.min(sizeBytes, endBytes) };
}

/** Whether the socket takes more; false when it is gone. */
function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve(!response.destroyed);
    };
    response.on("drain", done);
    response.on("close", done);
  });
}

function makeBlock(): Buffer {
  return Buffer.concat([...randomBytes("link", MIB)]);
}

/** The bytes of a range, each mebibyte with its stamp. */
function* pieces(block: Buffer, range: Range, largestBytes: number): Generator<Buffer> {
  for (let atBytes = range.startBytes; atBytes < range.endBytes;) {
    const inBlock = atBytes % MIB;
    const leftBytes = range.endBytes - atBytes;
    const isStamp = inBlock < STAMP_BYTES;
    const endBytes = isStamp ? STAMP_BYTES : Math.min(MIB, inBlock + largestBytes);
    const source = isStamp ? stamp(Math.floor(atBytes / MIB)) : block;
    const piece = source.subarray(inBlock, Math.min(endBytes, inBlock + leftBytes));
    yield piece;
    atBytes += piece.length;
  }
}

function stamp(blockNumber: number): Buffer {
  const bytes = Buffer.alloc(STAMP_BYTES);
  bytes.writeBigUInt64LE(BigInt(blockNumber));
  return bytes;
}

type Pace = (sizeBytes: number) => Promise<void>;

/** Lets bytes through in the order they come, no faster than the rate. */
function createPace(rateBytesPerSec: number | null): Pace {
  if (rateBytesPerSec === null) return async () => {};
  let dueMs = performance.now();
  return async (sizeBytes) => {
    dueMs = Math.max(dueMs, performance.now() - SHORTEST_WAIT_MS) + (sizeBytes * 1000) / rateBytesPerSec;
    const waitMs = dueMs - performance.now();
    if (waitMs >= SHORTEST_WAIT_MS) await Bun.sleep(waitMs);
  };
}
