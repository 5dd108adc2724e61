// luci at a terminal: a shell runs it on a PTY of its own and tells the terminal's state before and after.

import { luciBinary } from "./run-luci.ts";
import { until } from "./until.ts";

const BEGIN = "=== state ";
const RUN = "=== run";

export interface PtyRun {
  /** Types Ctrl-C. */
  interrupt(): void;
  /** Types a text. */
  type(text: string): void;
  /** Everything that was shown so far. */
  shown(): string;
  /** Whether what is typed reaches luci by now, and no longer the shell. */
  isRunning(): boolean;
  readonly ended: Promise<PtyResult>;
}

export interface PtyResult {
  readonly exitCode: number;
  readonly shown: string;
  /** `stty -g`: echo, line mode and all the rest, in one text. */
  readonly before: string;
  readonly after: string;
}

/** Starts luci on a terminal. The shell is there to be asked, as a person's is. */
export function startOnPty(args: readonly string[], env: Readonly<Record<string, string>>): PtyRun {
  let shown = "";
  const begun = `sh -c 'echo "${RUN}"; exec "$@"' sh`;
  const script = `trap : INT; echo "${BEGIN}$(stty -g)"; ${begun} "$@"; code=$?; echo; echo "${BEGIN}$(stty -g)"; exit $code`;
  const child = Bun.spawn(["sh", "-c", script, "sh", luciBinary(), ...args], {
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", TERM: "xterm-256color", ...env },
    terminal: {
      cols: 100,
      rows: 24,
      data: (_terminal, bytes) => {
        shown += new TextDecoder().decode(bytes);
      },
    },
  });
  return {
    shown: () => shown,
    type: (text) => void child.terminal?.write(text),
    isRunning: () => shown.includes(RUN),
    interrupt: () => void child.terminal?.write("\u0003"),
    ended: child.exited.then(async (exitCode) => {
      // To the end of its line: a terminal's bytes come in pieces.
      const states = () => [...shown.matchAll(/=== state (\S+)\r?\n/g)].map((match) => match[1]);
      await until("the terminal's state is told", () => states().length === 2);
      child.terminal?.close();
      const [before = "", after = ""] = states();
      return { exitCode, shown, before, after };
    }),
  };
}
