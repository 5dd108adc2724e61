// Another luci of this user as a client meets it: a socket that answers what a test wants.

import { join } from "node:path";
import { listenHttp } from "../../src/platform/http-server.ts";
import { runFolder } from "../../src/control/run-folder.ts";

export interface LocalPeer extends AsyncDisposable {
  /** What it was asked, besides who it is and what it is at. */
  readonly asked: { method: string; path: string; body: unknown }[];
}

export interface LocalPeerOptions {
  readonly homeFolder: string;
  /** The process it seems to be; of another host, so that nobody looks for it. */
  readonly pid: number;
  readonly role?: "serve";
  answer(request: { method: string; path: string }): Response;
}

/** Opens the socket. */
export async function openPeer({ homeFolder, pid, role, answer }: LocalPeerOptions): Promise<LocalPeer> {
  const asked: LocalPeer["asked"] = [];
  const server = await listenHttp({
    at: { socketPath: join(runFolder(homeFolder), `${pid}.ffffffffffff.sock`) },
    handle: async (request) => {
      const { pathname: path } = new URL(request.url);
      const { method } = request;
      if (path === "/v1/health") return Response.json({ status: "ok", pid, ...(role ? { role } : {}) });
      if (path === "/v1/downloads" && method === "GET") return Response.json({ downloads: [], seq: 0 });
      asked.push({ method, path, body: await request.json() });
      return answer({ method, path });
    },
  });
  return { asked, [Symbol.asyncDispose]: () => server.close() };
}
