// A server of one file over https, that counts what it is asked and can cut connections when it is told to.

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Content } from "../../src/demo/content.ts";
import type { Pair } from "./certificates.ts";

export interface TlsServer extends AsyncDisposable {
  readonly port: number;
  /** Requests that got as far as being read. */
  asked(): number;
  /** Body bytes handed to the network. */
  servedBytes(): number;
  /** Cuts every connection that has nothing more to send, and each that comes; until `serveAll`. */
  cut(): void;
  serveAll(): void;
}

export interface TlsServerOptions {
  /** The address it listens on: 127.0.0.1 unless given. */
  readonly hostname?: string;
  /** Sends nothing more once so many bytes went out, until `cut` or `serveAll`. */
  readonly stopsAfterBytes?: number;
}

const CHUNK_BYTES = 256 * 1024;

/** Serves `/m.gguf`, whole or in ranges. */
export async function serveTls(
  pair: Pair,
  content: Content,
  { hostname = "127.0.0.1", stopsAfterBytes = Number.POSITIVE_INFINITY }: TlsServerOptions = {},
): Promise<TlsServer> {
  let [asked, servedBytes, limitBytes] = [0, 0, stopsAfterBytes];
  const end = Promise.withResolvers<void>();
  const send = async (response: ServerResponse, range: { start: number; end: number }): Promise<void> => {
    for (let at = range.start; at < range.end; at += CHUNK_BYTES) {
      if (response.destroyed) return;
      if (servedBytes >= limitBytes) {
        await end.promise;
        if (servedBytes >= limitBytes) return void response.destroy();
      }
      const chunk = content.read(at, Math.min(range.end, at + CHUNK_BYTES));
      servedBytes += chunk.length;
      if (!response.write(chunk)) await once(response, "drain").catch(() => undefined);
    }
    response.end();
  };
  const server = createServer(pair, (request, response) => {
    asked += 1;
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const start = Number(range?.[1] ?? 0);
    const end = Math.min(content.sizeBytes, Number(range?.[2] ?? content.sizeBytes - 1) + 1);
    response.on("error", () => undefined);
    response.writeHead(range === null ? 200 : 206, {
      "content-length": end - start,
      etag: '"one"',
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${content.sizeBytes}` }),
    });
    void send(response, { start, end });
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, hostname);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked: () => asked,
    servedBytes: () => servedBytes,
    cut: end.resolve,
    serveAll: () => {
      limitBytes = Number.POSITIVE_INFINITY;
      end.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
