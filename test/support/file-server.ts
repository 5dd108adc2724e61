// A server of one file at one address, that answers as the test says. No hub: only what plain servers do.

import { once } from "node:events";
import { type Server, type ServerResponse, createServer } from "node:http";
import { listenOn } from "./listening.ts";

/** What was asked; `startBytes` and `endBytes` of the Range header, or null for all of it. */
export interface Asked {
  readonly method: string;
  readonly range: { readonly startBytes: number; readonly endBytes: number } | null;
  /** How many requests came before. */
  readonly before: number;
}

export interface FileServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Closes the port and every connection. */
  down(): Promise<void>;
  /** Opens the same port again. */
  up(): Promise<void>;
}

/** Serves `/m.safetensors` on a free port of 127.0.0.1. */
export async function fileServer(
  answer: (asked: Asked, response: ServerResponse) => void,
): Promise<FileServer> {
  const asked: Asked[] = [];
  let port = 0;
  let server: Server | null = null;
  const up = async (): Promise<void> => {
    const open = () =>
      createServer((request, response) => {
        const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
        const range = match && { startBytes: Number(match[1]), endBytes: Number(match[2]) + 1 };
        const one = { method: request.method ?? "", range, before: asked.length };
        asked.push(one);
        answer(one, response);
      });
    ({ server, port } = await listenOn(open, port));
  };
  const down = async (): Promise<void> => {
    if (!server?.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  await up();
  return {
    url: `http://127.0.0.1:${port}/m.safetensors`,
    asked,
    down,
    up,
    [Symbol.asyncDispose]: down,
  };
}

/** Only so many bytes of an answer, and then its connection is cut: at once, or when something has come about. */
interface Cut {
  readonly cutAfterBytes?: number;
  readonly cutWhen?: () => Promise<unknown>;
}

/** Answers properly: the range, or all of it. */
export function sendBytes(
  asked: Asked,
  response: ServerResponse,
  options: { bytes: Uint8Array; headers?: Record<string, string> } & Cut,
): void {
  const { bytes, headers = {}, cutAfterBytes, cutWhen } = options;
  const { startBytes, endBytes } = asked.range ?? { startBytes: 0, endBytes: bytes.length };
  const body = bytes.subarray(startBytes, endBytes);
  const last = startBytes + body.length - 1;
  response.writeHead(asked.range ? 206 : 200, {
    "Content-Length": body.length,
    ...(asked.range ? { "Content-Range": `bytes ${startBytes}-${last}/${bytes.length}` } : {}),
    ...headers,
  });
  if (cutAfterBytes === undefined) response.end(body);
  else if (cutWhen === undefined) response.write(body.subarray(0, cutAfterBytes), () => response.destroy());
  else {
    response.write(body.subarray(0, cutAfterBytes));
    void cutWhen().then(() => response.destroy());
  }
}
