// The signals that ask luci to stop. Says which one came; what follows is the front door's business.

/** What each means to a shell: 128 plus the signal's number. */
export const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGPIPE: 141 } as const;

export type StopSignal = keyof typeof SIGNAL_EXITS;

/** The runtime ignores SIGPIPE: that nobody reads any more shows when something is written. */
const SENT = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Calls back for every stop signal that is sent, and no longer dies of them. */
export function onStopSignal(handle: (signal: StopSignal) => void): void {
  for (const signal of SENT) {
    // `nohup luci …` is to outlive its terminal. Ctrl-C is answered even where a script put luci in the background.
    if (signal === "SIGHUP" && isHangupIgnored()) continue;
    process.on(signal, () => handle(signal));
  }
}

/** Whether this process was started with SIGHUP ignored; false where the system does not tell. */
function isHangupIgnored(): boolean {
  try {
    // Imported above, it would cost a third of `luci --version`.
    const { readFileSync } = process.getBuiltinModule("node:fs");
    // The mask of ignored signals in hex, SIGHUP being its lowest bit (proc(5)).
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return mask !== undefined && (Number.parseInt(mask.slice(-1), 16) & 1) === 1;
  } catch {
    return false;
  }
}
