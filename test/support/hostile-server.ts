// A server that says anything, byte for byte: two ports of 127.0.0.1 (near, where luci asks, and far, where it is
// sent to), raw sockets, and a log of every request and of every byte that went out. Knows no HTTP but where a
// request ends; what an answer looks like is the script's business.

import { once } from "node:events";
import { type Server, type Socket, createServer } from "node:net";
import { listenOn } from "./listening.ts";
import { until } from "./until.ts";

/** What an answer is made of: text (latin1) and bytes go out as they are, the rest is done to the connection. */
export type Step =
  | string
  | Uint8Array
  | { readonly pauseMs: number }
  /** Nothing more before this holds; named for the case that it never does. */
  | { readonly until: () => boolean; readonly what: string }
  | { readonly act: Act };
type Act = "reset" | "fin" | "stall";
/** Steps in their order; a generator may go on for ever. What follows a stall is never done. */
export type Answer = Iterable<Step>;

export const RESET: Step = { act: "reset" };
export const FIN: Step = { act: "fin" };
/** Says nothing more until the client goes away. */
export const STALL: Step = { act: "stall" };

export type Side = "near" | "far";

/** One request, as it came. */
export interface HostileRequest {
  readonly side: Side;
  readonly method: string;
  /** Path with its query. */
  readonly target: string;
  /** The whole head. */
  readonly raw: string;
  readonly headers: ReadonlyMap<string, string>;
  /** Of a `Range: bytes=a-b`, half-open. */
  readonly range: { readonly startBytes: number; readonly endBytes: number } | null;
  /** Which connection of this side brought it, from 0. */
  readonly connection: number;
}

export interface HostileEntry extends HostileRequest {
  /** Everything that was handed to the network in answer, heads included. */
  readonly sentBytes: number;
}

export interface HostileServer extends AsyncDisposable {
  readonly near: string;
  readonly far: string;
  readonly log: readonly HostileEntry[];
  /** Connections that were opened. */
  readonly connections: number;
  sentBytes(): number;
  /** Closes a port and all its connections. */
  down(side: Side): Promise<void>;
  /** Opens the same port again. */
  up(side: Side): Promise<void>;
}

export interface HostileOptions {
  answer(request: HostileRequest): Answer | Promise<Answer>;
  /** What becomes of a connection before it said anything; nothing unless given. */
  connect?(side: Side, connection: number): Act | undefined;
}

/** Opens both ports. */
export async function hostileServer(options: HostileOptions): Promise<HostileServer> {
  const log: OpenEntry[] = [];
  const near = new Port("near", options, log);
  const far = new Port("far", options, log);
  await Promise.all([near.up(), far.up()]);
  const port = (side: Side): Port => (side === "near" ? near : far);
  return {
    near: near.url,
    far: far.url,
    log,
    get connections() {
      return near.connections + far.connections;
    },
    sentBytes: () => log.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
    down: (side) => port(side).down(),
    up: (side) => port(side).up(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([near.down(), far.down()]);
    },
  };
}

interface Peer {
  readonly socket: Socket;
  readonly closed: Promise<void>;
}

type OpenEntry = { -readonly [Key in keyof HostileEntry]: HostileEntry[Key] };

class Port {
  readonly #side: Side;
  readonly #options: HostileOptions;
  readonly #log: OpenEntry[];
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #number = 0;
  connections = 0;

  constructor(side: Side, options: HostileOptions, log: OpenEntry[]) {
    this.#side = side;
    this.#options = options;
    this.#log = log;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#number}`;
  }

  async up(): Promise<void> {
    if (this.#server?.listening) return;
    const { server, port } = await listenOn(
      () => createServer((socket) => this.#accept(socket)),
      this.#number,
    );
    this.#server = server;
    this.#number = port;
  }

  async down(): Promise<void> {
    const server = this.#server;
    if (!server?.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const connection = this.connections;
    this.connections += 1;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    // Whoever is cut off hears of it; that is not this side's trouble.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
    const peer = { socket, closed };
    const first = this.#options.connect?.(this.#side, connection);
    if (first) return void act(peer, first);
    let unread = "";
    let busy: Promise<void> = Promise.resolve();
    socket.on("data", (chunk: Buffer) => {
      unread += chunk.toString("latin1");
      for (let end = unread.indexOf("\r\n\r\n"); end >= 0; end = unread.indexOf("\r\n\r\n")) {
        const entry: OpenEntry = { ...parseHead(unread.slice(0, end), this.#side, connection), sentBytes: 0 };
        unread = unread.slice(end + 4);
        this.#log.push(entry);
        busy = busy.then(() => this.#answer(peer, entry));
      }
    });
  }

  async #answer(peer: Peer, entry: OpenEntry): Promise<void> {
    for (const step of await this.#options.answer(entry)) {
      if (peer.socket.destroyed) return;
      await perform(peer, step, (sizeBytes) => {
        entry.sentBytes += sizeBytes;
      });
    }
  }
}

function parseHead(raw: string, side: Side, connection: number): HostileRequest {
  const [first = "", ...lines] = raw.split("\r\n");
  const [method = "", target = ""] = first.split(" ");
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const match = /^bytes=(\d+)-(\d+)$/.exec(headers.get("range") ?? "");
  const range = match && { startBytes: Number(match[1]), endBytes: Number(match[2]) + 1 };
  return { side, method, target, raw, headers, range, connection };
}

async function perform(peer: Peer, step: Step, onSent: (sizeBytes: number) => void): Promise<void> {
  const { socket, closed } = peer;
  if (typeof step !== "string" && "act" in step) return act(peer, step.act);
  if (typeof step !== "string" && "pauseMs" in step) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, step.pauseMs);
    });
    await Promise.race([waited, closed]);
    return clearTimeout(timer);
  }
  if (typeof step !== "string" && "until" in step)
    return await until(step.what, () => socket.destroyed || step.until());
  const bytes = typeof step === "string" ? Buffer.from(step, "latin1") : step;
  const written = new Promise<void>((resolve) => {
    socket.write(bytes, (error) => {
      if (!error) onSent(bytes.length);
      resolve();
    });
  });
  await Promise.race([written, closed]);
}

async function act({ socket, closed }: Peer, what: Act): Promise<void> {
  if (what === "reset") socket.resetAndDestroy();
  else if (what === "fin") socket.destroySoon();
  else await closed;
}
