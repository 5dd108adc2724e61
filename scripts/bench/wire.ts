// What the kernel knows of the loopback connections to a port: the only place where bytes are counted that were
// sent and that no program has read yet.

import { readFile } from "node:fs/promises";
import { rangeSize } from "../../src/domain/range.ts";
import type { Link } from "./link.ts";

export const SAMPLE_MS = 100;

/** What a client had read at a moment. */
export interface Sample {
  readonly atMs: number;
  readonly readBytes: number;
}

export interface Follower {
  readonly samples: readonly Sample[];
  /** Resolves so long after the first byte. */
  lasts(durationMs: number): Promise<void>;
  stop(): void;
}

/** How much the client has read, sampled from the first byte on. */
export function follow(link: Link): Follower {
  const samples: Sample[] = [];
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  let sentBytes = 0;
  link.onSent = (sent) => {
    sentBytes += rangeSize(sent);
    begin();
  };
  const take = async (): Promise<void> => {
    if (sentBytes === 0) return;
    const atMs = performance.now();
    const waitingBytes = await unreadBytes(link.port);
    samples.push({ atMs, readBytes: Math.max(0, sentBytes - waitingBytes) });
  };
  const timer = setInterval(() => void take(), SAMPLE_MS);
  return {
    samples,
    lasts: async (durationMs) => {
      await begun;
      await Bun.sleep(durationMs);
    },
    stop: () => clearInterval(timer),
  };
}

/** Bytes per second in a window; null when the samples end before it does. */
export function rateBetween(
  samples: readonly Sample[],
  { startMs, windowMs }: { startMs: number; windowMs: number },
): number | null {
  const before = bytesAt(samples, startMs);
  const after = bytesAt(samples, startMs + windowMs);
  return before === null || after === null ? null : ((after - before) * 1000) / windowMs;
}

/** Bytes read by a moment; between two samples the count is taken to grow evenly. */
export function bytesAt(samples: readonly Sample[], atMs: number): number | null {
  const next = samples.findIndex((sample) => sample.atMs >= atMs);
  const right = samples[next];
  const left = samples[next - 1] ?? right;
  if (right === undefined || left === undefined) return null;
  if (right.atMs === left.atMs) return right.readBytes;
  const share = (atMs - left.atMs) / (right.atMs - left.atMs);
  return left.readBytes + share * (right.readBytes - left.readBytes);
}

/** Bytes on the way to the clients of a port: in the server's send queues and the clients' receive queues. */
async function unreadBytes(port: number): Promise<number> {
  const [, ...rows] = (await readFile("/proc/net/tcp", "utf8")).trim().split("\n");
  return rows.reduce((sum, row) => {
    const [, local, remote, , queues = ""] = row.trim().split(/\s+/);
    const [sending = 0, receiving = 0] = queues.split(":").map((hex) => Number.parseInt(hex, 16));
    if (portOf(local) === port) return sum + sending;
    return portOf(remote) === port ? sum + receiving : sum;
  }, 0);
}

/** `0100007F:1F90` → 8080. */
function portOf(address: string | undefined): number {
  return Number.parseInt(address?.split(":")[1] ?? "", 16);
}
