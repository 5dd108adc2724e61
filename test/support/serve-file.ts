// A program, not a library: serves one file of pseudo-random bytes on a port, until it is killed.
// Arguments: port, size in bytes, seed, bytes per second, how many bytes it sends at most before it falls silent. Writes the port it listens on, then every range it is asked for.

import { makeGguf } from "../../src/demo/gguf-writer.ts";

const [port = 0, sizeBytes = 0, seed = 0, rateBytesPerSec = 0, mostBytes = 0] = process.argv
  .slice(2)
  .map(Number);
const CHUNK_BYTES = 64 * 1024;
let sentBytes = 0;
const content = await makeGguf({ name: "m", sizeBytes, seed });

const server = Bun.serve({
  port,
  hostname: "127.0.0.1",
  fetch: (request) => {
    const asked = request.headers.get("range") ?? "";
    console.log(`asked ${asked}`);
    const range = /^bytes=(\d+)-(\d+)$/.exec(asked);
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(sizeBytes, Number(range?.[2] ?? sizeBytes - 1) + 1);
    let at = start;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (at >= end) return controller.close();
        if (sentBytes >= mostBytes) await new Promise(() => undefined);
        const next = Math.min(end, at + CHUNK_BYTES);
        sentBytes += next - at;
        controller.enqueue(content.read(at, next).slice());
        await Bun.sleep(((next - at) / rateBytesPerSec) * 1000);
        at = next;
      },
    });
    const headers = {
      "content-length": String(end - start),
      etag: `"${seed}"`,
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${sizeBytes}` }),
    };
    return new Response(body, { status: range === null ? 200 : 206, headers });
  },
});
console.log(`listening ${server.port}`);
