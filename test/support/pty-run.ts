// luci at a terminal: a shell runs it on a PTY of its own and tells the terminal's state before and after.

import { luciBinary } from "./run-luci.ts";

const BEGIN = "=== state ";

export interface PtyRun {
  /** Types Ctrl-C. */
  interrupt(): void;
  /** Types a text. */
  type(text: string): void;
  /** Everything that was shown so far. */
  shown(): string;
  readonly ended: Promise<PtyResult>;
}

export interface PtyResult {
  readonly exitCode: number;
  readonly shown: string;
  /** `stty -g`: echo, line mode and all the rest, in one text. */
  readonly before: string;
  readonly after: string;
  /** From Ctrl-C to luci's end; null when none was typed. */
  readonly answerMs: number | null;
}

/** Starts luci on a terminal. The shell is there to be asked, as a person's is. */
export function startOnPty(args: readonly string[], env: Readonly<Record<string, string>>): PtyRun {
  let shown = "";
  let typedMs: number | null = null;
  let endedMs: number | null = null;
  const script = `trap : INT; echo "${BEGIN}$(stty -g)"; "$@"; code=$?; echo; echo "${BEGIN}$(stty -g)"; exit $code`;
  const child = Bun.spawn(["sh", "-c", script, "sh", luciBinary(), ...args], {
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", TERM: "xterm-256color", ...env },
    terminal: {
      cols: 100,
      rows: 24,
      data: (_terminal, bytes) => {
        shown += new TextDecoder().decode(bytes);
        if (shown.split(BEGIN).length > 2) endedMs ??= performance.now();
      },
    },
  });
  return {
    shown: () => shown,
    type: (text) => void child.terminal?.write(text),
    interrupt: () => {
      typedMs = performance.now();
      child.terminal?.write("\u0003");
    },
    ended: child.exited.then(async (exitCode) => {
      for (let tries = 0; endedMs === null && tries < 100; tries += 1) await Bun.sleep(10);
      child.terminal?.close();
      const [before = "", after = ""] = [...shown.matchAll(/=== state (\S+)/g)].map((match) => match[1]);
      const answerMs = typedMs === null ? null : (endedMs ?? performance.now()) - typedMs;
      return { exitCode, shown, before, after, answerMs };
    }),
  };
}
