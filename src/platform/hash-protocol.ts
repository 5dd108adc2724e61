// The messages between the hash worker and the thread that steers it. Plain data.

export type Engine = "wasm" | "native";

/** To the worker. Pieces are counted from 0; `frontierBytes` is how far the file may be read. */
export type HashOrder =
  | {
      readonly type: "open";
      readonly id: number;
      readonly path: string;
      readonly engine: Engine;
      /** Where `state` stands: a whole number of pieces; 0 without a state or if the state cannot be loaded. */
      readonly fromPiece: number;
      readonly state: Uint8Array | null;
      /** Fingerprints taken earlier, by piece; a piece that differs is reported, not hashed. */
      readonly expected: readonly (string | null)[];
      /** Also compute git's blob SHA-1; needs the size and starts at piece 0. */
      readonly gitBlob: boolean;
    }
  | {
      readonly type: "advance";
      readonly id: number;
      readonly frontierBytes: number;
      readonly sizeBytes: number | null;
    }
  | { readonly type: "native"; readonly id: number }
  | { readonly type: "forget"; readonly id: number; readonly piece: number }
  | { readonly type: "close"; readonly id: number };

/** From the worker. */
export type HashReport =
  | {
      readonly type: "piece";
      readonly id: number;
      readonly piece: number;
      readonly fingerprint: string;
      readonly hashedBytes: number;
      readonly state: Uint8Array | null;
    }
  | { readonly type: "bad"; readonly id: number; readonly piece: number }
  | { readonly type: "digest"; readonly id: number; readonly sha256: string; readonly gitSha1: string | null }
  | { readonly type: "failed"; readonly id: number; readonly code: string | null; readonly message: string };
