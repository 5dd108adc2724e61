// Asking a person at the terminal. The question goes to standard error, the answer comes line by line:
// consola's own prompt would write to standard output and turn Ctrl-C from a signal into a key.

import { createInterface } from "node:readline";

export interface ConfirmOptions {
  readonly stdin: NodeJS.ReadableStream;
  readonly write: (text: string) => void;
  /** Answers for the person: nobody is there any more. */
  readonly signal: AbortSignal;
}

/** Asks a yes/no question; anything but `y` or `yes`, the end of input and an abort mean no. */
export async function confirm(question: string, { stdin, write, signal }: ConfirmOptions): Promise<boolean> {
  if (signal.aborted) return false;
  write(`${question} [y/N] `);
  const lines = createInterface({ input: stdin, terminal: false });
  const answer = await new Promise<string | null>((resolve) => {
    lines.once("line", resolve);
    lines.once("close", () => resolve(null));
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
  lines.close();
  stdin.pause();
  if (answer === null) write("\n");
  return answer !== null && /^y(es)?$/i.test(answer.trim());
}
