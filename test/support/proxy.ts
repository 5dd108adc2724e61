// A real proxy, tinyproxy, on a free port of 127.0.0.1, with a log of what it was asked.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.ts";

export interface ProxyOptions {
  /** What it wants to hear; without it everybody may pass. */
  readonly login?: { readonly user: string; readonly password: string };
  /** A host it opens no way to. */
  readonly refuses?: string;
}

export interface Proxy extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly name: string;
  readonly url: string;
  /** The requests it wrote down, `CONNECT host:port` and `GET http://…`, in their order. */
  asked(): Promise<string[]>;
  /** Ends it, by its process id. */
  kill(): Promise<void>;
  /** Stops its process without ending it: connections open, and nobody answers. */
  freeze(): void;
  /** Starts it again on the same port, once nobody else has it. */
  start(): Promise<void>;
}

const PROGRAM = "tinyproxy";
/** A port that was free a moment ago may be somebody's by now. */
const MOST_TRIES = 5;

/** Whether this machine has the proxy. */
export const hasProxyProgram = Bun.which(PROGRAM) !== null;

/** Starts a proxy; `await using proxy = await startProxy()`. */
export async function startProxy({ login, refuses }: ProxyOptions = {}): Promise<Proxy> {
  const folder = await mkdtemp(join(tmpdir(), "luci-proxy-"));
  const log = join(folder, "log");
  const filter = join(folder, "filter");
  await writeFile(filter, `${refuses ?? "no-such-host"}\n`);
  await writeFile(log, "");
  const lines = [
    "Listen 127.0.0.1",
    "Timeout 60",
    "MaxClients 100",
    `LogFile "${log}"`,
    "LogLevel Info",
    ...(refuses === undefined ? [] : [`Filter "${filter}"`]),
    ...(login === undefined ? [] : [`BasicAuth ${login.user} ${login.password}`]),
  ];
  let port = 0;
  let child: ChildProcess | null = null;
  const kill = async (): Promise<void> => {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  const start = async (): Promise<void> => {
    const begun = async (): Promise<number> =>
      (await readFile(log, "utf8")).split("Accepting connections").length;
    const before = await begun();
    const started = spawn(PROGRAM, ["-d", "-c", join(folder, "conf")], { stdio: "ignore" });
    child = started;
    // That somebody listens there says nothing of who it is.
    await until("the proxy listens", async () => started.exitCode !== null || (await begun()) > before);
    // Somebody else has the port.
    if (started.exitCode !== null) throw new Error("the proxy could not listen");
  };
  for (let tries = 0; child === null; tries += 1) {
    port = await freePort();
    await writeFile(join(folder, "conf"), `${[`Port ${port}`, ...lines].join("\n")}\n`);
    await start().catch((error: unknown) => {
      if (tries === MOST_TRIES) throw error;
      child = null;
    });
  }
  return {
    name: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}`,
    asked: async () => {
      const text = await readFile(log, "utf8");
      return [...text.matchAll(/Request \(file descriptor \d+\): (\S+ \S+)/g)].map(([, asked = ""]) => asked);
    },
    kill,
    start: () =>
      until("the proxy listens where it was", () =>
        start().then(
          () => true,
          () => false,
        ),
      ),
    freeze: () => void child?.kill("SIGSTOP"),
    [Symbol.asyncDispose]: async () => {
      await kill();
      await rm(folder, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
