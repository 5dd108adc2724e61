// What Bun gives at best for luci's work, and nothing else: a program of its own, compiled for the benchmark. No
// retries, no journal, no resume, no promises. `floor one URL SIZE CONNECTIONS` or `floor many LISTFILE`, with
// --durable or not.

import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

const SPAN_BYTES = 8 * 1024 * 1024;
const WRITE_BYTES = 512 * 1024;
const DURABLE_BYTES = 32 * 1024 * 1024;
const PARALLEL = 16;
const OUT = "floor.out";

const [mode = "", ...words] = process.argv.slice(2);
const durable = words.includes("--durable");
const [first = "", sizeBytes = "", connections = ""] = words;
await (mode === "one" ? fetchOne(first, Number(sizeBytes)) : fetchMany(first));

/** One file over a few connections, hashed by a worker behind the frontier. */
async function fetchOne(url: string, sizeBytes: number): Promise<void> {
  const file = await open(OUT, "w+");
  const hash = startHash(sizeBytes);
  const finished = new Set<number>();
  let nextBytes = 0;
  let frontierBytes = 0;
  let unsafeBytes = 0;
  const syncs: Promise<void>[] = [];
  const connect = async (): Promise<void> => {
    while (nextBytes < sizeBytes) {
      const startBytes = nextBytes;
      const endBytes = Math.min(sizeBytes, startBytes + SPAN_BYTES);
      nextBytes = endBytes;
      await fetchSpan(url, { startBytes, endBytes, write: (at, chunks) => file.writev(chunks, at) });
      finished.add(startBytes);
      while (finished.delete(frontierBytes)) frontierBytes = Math.min(sizeBytes, frontierBytes + SPAN_BYTES);
      hash.advance(frontierBytes);
      unsafeBytes += endBytes - startBytes;
      if (!durable || unsafeBytes < DURABLE_BYTES) continue;
      unsafeBytes = 0;
      syncs.push(file.datasync());
    }
  };
  await Promise.all(Array.from({ length: Number(connections) }, connect));
  await Promise.all(syncs);
  if (durable) await file.sync();
  console.log(await hash.digest);
  await file.close();
}

interface SpanWork {
  readonly startBytes: number;
  readonly endBytes: number;
  write(offsetBytes: number, chunks: Uint8Array[]): Promise<unknown>;
}

async function fetchSpan(url: string, { startBytes, endBytes, write }: SpanWork): Promise<void> {
  const headers = { range: `bytes=${startBytes}-${endBytes - 1}`, "accept-encoding": "identity" };
  const response = await fetch(url, { headers, decompress: false, timeout: false });
  let offsetBytes = startBytes;
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let gatheredBytes = 0;
  const flush = async (): Promise<void> => {
    await write(offsetBytes, chunks);
    offsetBytes += gatheredBytes;
    for (const { buffer } of chunks) buffer.transfer(0);
    chunks = [];
    gatheredBytes = 0;
  };
  const body: ReadableStream<Uint8Array<ArrayBuffer>> | null = response.body;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    gatheredBytes += chunk.length;
    if (gatheredBytes >= WRITE_BYTES) await flush();
  }
  if (gatheredBytes > 0) await flush();
}

function startHash(sizeBytes: number): { advance(frontierBytes: number): void; digest: Promise<string> } {
  const worker = new Worker(new URL("./floor.worker.ts", import.meta.url).href);
  const { promise, resolve } = Promise.withResolvers<string>();
  worker.onmessage = (event: MessageEvent<string>) => {
    resolve(event.data);
    worker.terminate();
  };
  worker.postMessage({ path: OUT, sizeBytes });
  return { advance: (frontierBytes) => worker.postMessage({ frontierBytes }), digest: promise };
}

/** Many small files, several at once: fetch, write, read back, hash, rename. */
async function fetchMany(listFile: string): Promise<void> {
  const lines = (await readFile(listFile, "utf8")).trim().split("\n");
  const folders = new Set<string>();
  let next = 0;
  const work = async (): Promise<void> => {
    for (let line = lines[next++]; line !== undefined; line = lines[next++]) {
      const [url = "", path = "", sha256 = ""] = line.split(" ");
      const folder = dirname(path);
      if (!folders.has(folder)) await mkdir(folder, { recursive: true });
      folders.add(folder);
      await fetchSmall(url, { path, sha256 });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  for (const folder of durable ? folders : []) await syncFolder(folder);
}

async function fetchSmall(url: string, { path, sha256 }: { path: string; sha256: string }): Promise<void> {
  const response = await fetch(url, { headers: { "accept-encoding": "identity" }, decompress: false });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const part = `${path}.part`;
  const file = await open(part, "wx+");
  await file.write(bytes, 0, bytes.length, 0);
  if (durable) await file.datasync();
  await file.read(bytes, 0, bytes.length, 0);
  await file.close();
  if (createHash("sha256").update(bytes).digest("hex") !== sha256) return rm(part);
  await rename(part, path);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  await folder.sync();
  await folder.close();
}
