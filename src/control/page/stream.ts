// The stream of events, over a WebSocket that opens itself again. Knows nothing of how things look.

import { askOnce, Refusal } from "./api.ts";
import { keptToken } from "./token.ts";
import type { Health, StreamMessage } from "./wire.ts";

/** `locked`: luci answers, and wants a token that this tab does not have. */
export type LinkState = "connecting" | "open" | "lost" | "locked";

export interface StreamHooks {
  /** Everything may have changed: called whenever it opened. */
  onOpen(): void;
  onMessage(message: StreamMessage): void;
  onState(state: LinkState): void;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
/** A connection that died without a word is noticed by asking. */
const LOOK_MS = 15_000;
const ANSWER_MS = 8_000;

/** One stream for the life of the page. */
export class Stream {
  readonly #hooks: StreamHooks;
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #waitMs = FIRST_WAIT_MS;
  #lastId: number | null = null;

  constructor(hooks: StreamHooks) {
    this.#hooks = hooks;
    addEventListener("online", () => this.reconnect());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) void this.#look();
    });
    setInterval(() => void this.#look(), LOOK_MS);
  }

  /** Opens it now, whatever it was doing: the token may be another one. */
  reconnect(): void {
    this.#waitMs = FIRST_WAIT_MS;
    this.#open();
  }

  #open(): void {
    this.#drop();
    const token = keptToken();
    const since = this.#lastId === null ? "" : `?since=${this.#lastId}`;
    const url = `${location.origin.replace(/^http/, "ws")}/v1/events${since}`;
    const protocols = ["luci.v1", ...(token === null ? [] : [`luci.bearer.${token}`])];
    const socket = makeSocket(url, protocols);
    if (!socket) return this.#hooks.onState("locked");
    this.#socket = socket;
    socket.onopen = () => {
      this.#waitMs = FIRST_WAIT_MS;
      this.#hooks.onState("open");
      this.#hooks.onOpen();
    };
    socket.onmessage = ({ data }) => this.#hear(data);
    socket.onclose = () => {
      if (this.#socket === socket) void this.#reopen();
    };
  }

  #hear(data: unknown): void {
    const message = JSON.parse(String(data)) as StreamMessage;
    if (message.id !== null) this.#lastId = message.id;
    if (message.event === "gap") this.#hooks.onOpen();
    else this.#hooks.onMessage(message);
  }

  async #reopen(): Promise<void> {
    this.#drop();
    const state = await answers();
    if (this.#socket) return;
    this.#hooks.onState(state === "locked" ? "locked" : "lost");
    if (state === "locked") return;
    const waitMs = this.#waitMs;
    this.#waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
    this.#timer = setTimeout(() => this.#open(), waitMs * (0.75 + Math.random() / 4));
  }

  async #look(): Promise<void> {
    const socket = this.#socket;
    if (socket?.readyState === WebSocket.CONNECTING) return;
    if (!socket) return this.#timer === null ? undefined : this.reconnect();
    if ((await answers()) === "open" || this.#socket !== socket) return;
    await this.#reopen();
  }

  #drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.onopen = null;
    socket.close();
  }
}

/** Null where the token cannot be part of a handshake at all. */
function makeSocket(url: string, protocols: string[]): WebSocket | null {
  try {
    return new WebSocket(url, protocols);
  } catch {
    return null;
  }
}

async function answers(): Promise<LinkState> {
  try {
    await askOnce<Health>("GET", "/v1/health", { signal: AbortSignal.timeout(ANSWER_MS) });
    return "open";
  } catch (thrown) {
    return thrown instanceof Refusal && thrown.status === 401 ? "locked" : "lost";
  }
}
