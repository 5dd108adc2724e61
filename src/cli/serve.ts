// `luci serve`: a daemon with a queue that outlives it, an HTTP API and events. Ends when it is told to.

import { join, resolve } from "node:path";
import { LuciError } from "../domain/errors.ts";
import { type Command, type Front, type Input, NO_WORDS, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS, DISK_FLAGS, FOLDER_FLAGS, HASHER_FLAGS, HOOK_FLAGS, NETWORK_FLAGS } from "./flags.ts";

/** LUCI on a telephone's keys. */
const DEFAULT_PORT = 5824;
const DEFAULT_HOST = "127.0.0.1";
const TOKEN_NAME = "serve-token";
const HIGHEST_PORT = 65_535;

export const serveCommand: Command = {
  name: "serve",
  summary: "Run a download queue in the background, with an HTTP API",
  args: {
    host: {
      type: "string",
      valueHint: "address",
      description: `Where to listen (default: ${DEFAULT_HOST}, this machine only)`,
    },
    port: {
      type: "string",
      valueHint: "port",
      description: `Which port (default: ${DEFAULT_PORT}; 0: any that is free)`,
    },
    "allow-host": {
      type: "string",
      valueHint: "name,…",
      description: "Further names by which it may be called",
    },
    "token-file": {
      type: "string",
      valueHint: "file",
      description: "Where its token is (default: $LUCI_HOME/serve-token, made on first use)",
    },
    preempt: {
      type: "boolean",
      description: "A more important download takes the place of a less important one",
    },
    partials: {
      type: "enum",
      options: ["resume", "delete"],
      description: "What a cancel does with unfinished files (default: resume)",
    },
    jobs: { type: "string", valueHint: "1-16", description: "Files at once (default: 4)" },
    connections: {
      type: "string",
      valueHint: "1-16|auto",
      description: "Connections per file (default: auto)",
    },
    "limit-rate": {
      type: "string",
      valueHint: "20M",
      description: "Bytes per second for everything together (0: no limit)",
    },
    retries: { type: "string", valueHint: "0-100", description: "Attempts after a failed one (default: 3)" },
    "print-token": { type: "boolean", description: "Print the token and end" },
    "print-unit": {
      type: "enum",
      options: ["systemd", "launchd"],
      description: "Print a service definition with these flags and variables, and end",
    },
    ...HOOK_FLAGS,
    webhook: {
      type: "string",
      valueHint: "address",
      description: "Post there as JSON when a model is ready",
    },
    ...DISK_FLAGS,
    ...NETWORK_FLAGS,
    ...HASHER_FLAGS,
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: NO_WORDS,
  examples: [
    ["luci serve", "until Ctrl-C; the queue is kept"],
    ["luci install mistral --detach", "hand it a download, from any terminal"],
    ["luci serve --print-unit systemd > ~/.config/systemd/user/luci.service", "run it at login"],
  ],
  network: true,
  isService: true,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const port = readPort(input.text("port"));
  const unit = input.text("print-unit");
  if (unit !== null) {
    const { printUnit } = await import("./print-unit.ts");
    return printUnit(unit === "launchd" ? "launchd" : "systemd", { input, front });
  }
  const [{ runDaemon }, context] = await Promise.all([import("../control/daemon.ts"), front.context()]);
  const typed = input.text("token-file");
  const tokenFile = typed === null ? join(context.settings.homeFolder, TOKEN_NAME) : resolve(typed);
  if (input.on("print-token")) {
    const { readOrMakeToken } = await import("../platform/token-file.ts");
    return succeeded({ command: "serve", text: readOrMakeToken(tokenFile), url: null, openDownloads: 0 });
  }
  const host = input.text("host") ?? DEFAULT_HOST;
  const onNotice = (level: "info" | "warn", message: string): void =>
    front.emit({ type: "notice", level, message });
  const end = await runDaemon(context, {
    host,
    port,
    tokenFile,
    allowedHosts: (input.text("allow-host") ?? "").split(",").filter((name) => name !== ""),
    preempt: input.on("preempt"),
    isLimitTyped: input.text("limit-rate") !== null,
    onNotice,
    onListening: ({ url, token, isLoopback }) => {
      // A token on a terminal is for the person before it; in a log it would be for everybody who reads that.
      const how = front.interactive
        ? `open ${url}/#token=${token}`
        : "`luci serve --print-token` shows the token";
      onNotice("info", `Listening at ${url}: ${how}`);
      if (!isLoopback)
        onNotice("warn", "Whoever is on this network can reach it, and the connection is not encrypted");
    },
  });
  return succeeded({ command: "serve", text: null, ...end });
}

function readPort(text: string | null): number {
  if (text === null) return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port >= 0 && port <= HIGHEST_PORT) return port;
  throw new LuciError("E_USAGE", `\`--port\` is a number from 0 to ${HIGHEST_PORT}`);
}
