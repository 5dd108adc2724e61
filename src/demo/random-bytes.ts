// Pseudo-random bytes that can be computed at any offset, so that a file of any size needs neither disk nor memory.
// Not for secrets: the same seed and offset always give the same bytes.

const WORD_BYTES = 4;
const WORDS_PER_EPOCH = 2 ** 32;

/**
 * The bytes `[startBytes, endBytes)` of the endless sequence of a seed. No two aligned words of the
 * first 16 GiB are equal, so data put at a wrong offset never looks right.
 */
export function randomBytes(
  seed: number,
  range: { startBytes: number; endBytes: number },
): Uint8Array<ArrayBuffer> {
  const firstWord = Math.floor(range.startBytes / WORD_BYTES);
  const lastWord = Math.ceil(range.endBytes / WORD_BYTES);
  const words = new Uint32Array(Math.max(0, lastWord - firstWord));
  let epoch = Math.floor(firstWord / WORDS_PER_EPOCH);
  let salt = mix(mix(seed) + epoch);
  let index = firstWord % WORDS_PER_EPOCH;
  for (let at = 0; at < words.length; at += 1) {
    words[at] = mix(index ^ salt);
    index += 1;
    if (index === WORDS_PER_EPOCH) {
      index = 0;
      epoch += 1;
      salt = mix(mix(seed) + epoch);
    }
  }
  const skippedBytes = range.startBytes - firstWord * WORD_BYTES;
  return new Uint8Array(words.buffer, skippedBytes, Math.max(0, range.endBytes - range.startBytes));
}

/** Murmur3's finaliser: a bijection of 32-bit words that scatters neighbours. */
function mix(word: number): number {
  let mixed = word | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
