// SHA-256 engines behind one interface, and the fingerprint of a piece. No I/O.

/** A running SHA-256. `save` exists where the engine's state can be written down and loaded again. */
export interface StreamingSha256 {
  update(bytes: Uint8Array): void;
  digestHex(): string;
  save?(): Uint8Array;
}

/** Pieces are the unit of fingerprints, of hash checkpoints and of repair. */
export const PIECE_BYTES = 8 * 1024 * 1024;

const KNOWN_ANSWER = {
  text: "abc",
  sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
};

/** hash-wasm's SHA-256; continues from a saved state. @throws Error when the state is not of this version */
export async function createWasmSha256(state: Uint8Array | null): Promise<StreamingSha256> {
  const { createSHA256 } = await import("hash-wasm");
  const hasher = await createSHA256();
  if (state) hasher.load(state);
  else hasher.init();
  return {
    update: (bytes) => void hasher.update(bytes),
    digestHex: () => hasher.digest("hex"),
    save: () => hasher.save(),
  };
}

/** The runtime's native SHA-256: about fifteen times faster here, but its state cannot be saved. */
export function createNativeSha256(): StreamingSha256 {
  const hasher = new Bun.CryptoHasher("sha256");
  return { update: (bytes) => void hasher.update(bytes), digestHex: () => hasher.digest("hex") };
}

/** Checks an engine against FIPS 180-2's known answer. @throws Error when it computes something else */
export function checkEngine(engine: StreamingSha256, name: string): void {
  engine.update(new TextEncoder().encode(KNOWN_ANSWER.text));
  if (engine.digestHex() !== KNOWN_ANSWER.sha256)
    throw new Error(`the ${name} SHA-256 engine computes wrong digests`);
}

/** XXH3-64 of a piece as 16 hex digits: tells damaged pieces apart, proves nothing by itself. */
export function fingerprint(piece: Uint8Array): string {
  return Bun.hash.xxHash3(piece).toString(16).padStart(16, "0");
}
