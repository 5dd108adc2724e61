// A port that is given back and taken again: between the two any other program of this machine may have it for its own.

import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";

const DEADLINE_MS = 60_000;
const POLL_MS = 50;

/** Below what a system hands out by itself: who asks for any port gets none of these while it is given back. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
let asked = Math.floor(Math.random() * PORTS);

/** Listens on 127.0.0.1 and answers the port; 0 is any that is free, another one is waited for. @throws Error after a minute */
export async function listenOn<Listener extends Server>(
  open: () => Listener,
  port: number,
): Promise<{ server: Listener; port: number }> {
  for (const endMs = performance.now() + DEADLINE_MS; ;) {
    const server = open();
    try {
      const listening = once(server, "listening");
      server.listen(port === 0 ? FIRST_PORT + (asked++ % PORTS) : port, "127.0.0.1");
      await listening;
      return { server, port: (server.address() as AddressInfo).port };
    } catch (error) {
      const isTaken = (error as { code?: string }).code === "EADDRINUSE";
      if (!isTaken || performance.now() > endMs) throw error;
      if (port !== 0) await Bun.sleep(POLL_MS);
    }
  }
}
