// Feeds spoiled inputs to whoever reads what strangers write. One promise: they are read, or refused with an error
// of ours that is no bug; never a crash, never a hang. The same seed feeds the same bytes.

import { LuciError } from "../../src/domain/errors.ts";
import { type Prng, prngOf } from "./prng.ts";

/** Somebody who reads bytes of strangers. */
export interface FuzzTarget {
  readonly name: string;
  /** Sound inputs, to be spoiled. */
  readonly samples: readonly Uint8Array[];
  /** Reads an input. May throw a LuciError; may check what it made of it and throw anything else. */
  feed(input: Uint8Array): unknown;
}

/** An input that broke the promise. */
export interface FuzzFailure {
  readonly target: string;
  readonly round: number;
  readonly seed: number;
  readonly reason: string;
  /** Base64 of the input's first 3,000 bytes. */
  readonly input: string;
}

/** What is far too long for any input of this size, on any machine. */
const HANG_MS = 60_000;
const MOST_CHANGES = 6;

/** Feeds so many spoiled inputs to each target and answers what broke. */
export async function fuzz(
  targets: readonly FuzzTarget[],
  { seed, rounds, isOver = () => false }: { seed: number; rounds: number; isOver?: () => boolean },
): Promise<FuzzFailure[]> {
  const failures: FuzzFailure[] = [];
  for (const [index, target] of targets.entries()) {
    for (let round = 0; round < rounds && !isOver(); round += 1) {
      const random = prngOf(seed + index * 1_000_003 + round * 7_919);
      const input = spoil(target.samples, random);
      const reason = await judge(target, input);
      if (reason === null) continue;
      const shown = Buffer.from(input.subarray(0, 3_000)).toString("base64");
      failures.push({ target: target.name, round, seed, reason, input: shown });
    }
  }
  return failures;
}

async function judge(target: FuzzTarget, input: Uint8Array): Promise<string | null> {
  const startMs = performance.now();
  try {
    await target.feed(input);
  } catch (error) {
    const isOurs = error instanceof LuciError && error.code !== "E_INTERNAL" && error.message.length < 2_000;
    if (!isOurs)
      return error instanceof Error ? `${error.name}: ${error.message.slice(0, 300)}` : String(error);
  }
  const tookMs = performance.now() - startMs;
  return tookMs > HANG_MS ? `took ${Math.round(tookMs)} ms` : null;
}

const WORDS = [
  "\0", "\n", "\r\n", "\u001b]0;x\u0007", "\u202e", "\ufeff", "%00", "%2e%2e%2f", "../", "\\", "//", "@", ":", "#", "?",
  "-1", "0", "1e999", "9223372036854775808", "18446744073709551615", "NaN", "null", "true", "[]", "{}", '"', "'", "[[",
  "{{", '"__proto__":', "bytes */*", "W/", ",", ";", "=", "<", ">", " ", "é", "ı", "ß", "\ud7ff", "0x10", "1_000", "٣",
].map((word) => new TextEncoder().encode(word)); // prettier-ignore
const NUMBERS = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffffffn,
  0xffffffffn,
  2n ** 40n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
];

function spoil(samples: readonly Uint8Array[], random: Prng): Uint8Array {
  let bytes: Uint8Array = random.pick(samples).slice();
  for (let left = random.integer(1, MOST_CHANGES + 1); left > 0; left -= 1)
    bytes = random.pick(CHANGES)(bytes, random, samples);
  return bytes;
}

type Change = (bytes: Uint8Array, random: Prng, samples: readonly Uint8Array[]) => Uint8Array;

/** Headers are where lies pay: most places are near the beginning. */
function placeIn(bytes: Uint8Array, random: Prng): number {
  const reach = random.next() < 0.8 ? Math.min(bytes.length, 1_500) : bytes.length;
  return random.integer(0, Math.max(1, reach));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

const CHANGES: readonly Change[] = [
  (bytes, random) => withByte(bytes, placeIn(bytes, random), random.integer(0, 256)),
  (bytes, random) => {
    const at = placeIn(bytes, random);
    return withByte(bytes, at, (bytes[at] ?? 0) ^ (1 << random.integer(0, 8)));
  },
  (bytes, random) => bytes.slice(0, placeIn(bytes, random)),
  (bytes, random) => {
    const at = placeIn(bytes, random);
    return joined(bytes.subarray(0, at), bytes.subarray(at + random.integer(1, 40)));
  },
  (bytes, random) => {
    const at = placeIn(bytes, random);
    return joined(bytes.subarray(0, at), random.pick(WORDS), bytes.subarray(at + random.integer(0, 8)));
  },
  (bytes, random) => {
    const at = placeIn(bytes, random);
    const piece = bytes.subarray(at, at + random.integer(1, 200));
    return joined(
      bytes.subarray(0, at),
      ...Array.from({ length: random.integer(2, 50) }, () => piece),
      bytes.subarray(at),
    );
  },
  (bytes, random) => {
    const wide = random.next() < 0.5;
    const at = placeIn(bytes, random);
    const size = wide ? 8 : 4;
    if (at + size > bytes.length) return bytes;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const number = random.pick(NUMBERS) + BigInt(random.integer(0, 3));
    if (wide) view.setBigUint64(at, BigInt.asUintN(64, number), true);
    else view.setUint32(at, Number(BigInt.asUintN(32, number)), true);
    return bytes;
  },
  (bytes, random, samples) => {
    const other = random.pick(samples);
    return joined(bytes.subarray(0, placeIn(bytes, random)), other.subarray(placeIn(other, random)));
  },
];

function withByte(bytes: Uint8Array, at: number, byte: number): Uint8Array {
  if (at < bytes.length) bytes[at] = byte;
  return bytes;
}
