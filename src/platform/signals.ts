// The signals that ask luci to stop. Says which one came; what follows is the front door's business.

/** What each means to a shell: 128 plus the signal's number. */
export const SIGNAL_EXITS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export type StopSignal = keyof typeof SIGNAL_EXITS;

/** Calls back for every stop signal, and no longer dies of them. */
export function onStopSignal(handle: (signal: StopSignal) => void): void {
  for (const signal of Object.keys(SIGNAL_EXITS) as StopSignal[]) process.on(signal, () => handle(signal));
}
