// The floor's hash: reads what is on the disk, as far as it is told that it may.

import { openSync, readSync } from "node:fs";

const buffer = new Uint8Array(4 * 1024 * 1024);
const hasher = new Bun.CryptoHasher("sha256");
let fd = -1;
let sizeBytes = 0;
let hashedBytes = 0;

declare const self: Worker;

self.onmessage = (event: MessageEvent<{ path: string; sizeBytes: number } | { frontierBytes: number }>) => {
  const order = event.data;
  if ("path" in order) {
    fd = openSync(order.path, "r");
    sizeBytes = order.sizeBytes;
    return;
  }
  while (hashedBytes < order.frontierBytes) {
    const count = readSync(
      fd,
      buffer,
      0,
      Math.min(buffer.length, order.frontierBytes - hashedBytes),
      hashedBytes,
    );
    hasher.update(buffer.subarray(0, count));
    hashedBytes += count;
  }
  if (hashedBytes === sizeBytes) postMessage(hasher.digest("hex"));
};
