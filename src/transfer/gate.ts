// A gate that transfers pass before they ask for bytes. Whoever has a reason shuts it; it is open again when
// nobody has one. Knows neither the reasons nor the files.

/** Shut and reopened by name of a reason; shut as well while the gate above it is. */
export class Gate {
  readonly #above: Gate | null;
  readonly #reasons = new Set<string>();
  readonly #shutListeners = new Set<() => void>();
  #opened = Promise.withResolvers<void>();

  constructor(above: Gate | null = null) {
    this.#above = above;
  }

  get isOpen(): boolean {
    return this.#reasons.size === 0 && (this.#above?.isOpen ?? true);
  }

  /** Shuts the gate; requests under way behind it are given up. */
  shut(reason: string): void {
    const wasOpen = this.#reasons.size === 0;
    this.#reasons.add(reason);
    if (!wasOpen) return;
    this.#opened = Promise.withResolvers<void>();
    for (const listener of this.#shutListeners) listener();
  }

  /** Takes a reason back. */
  reopen(reason: string): void {
    if (this.#reasons.delete(reason) && this.#reasons.size === 0) this.#opened.resolve();
  }

  /** Resolves while the gate is open, else once it is. Rejects with the signal's reason. */
  async pass(signal: AbortSignal): Promise<void> {
    while (!this.isOpen) {
      signal.throwIfAborted();
      if (this.#reasons.size > 0) await waitFor(this.#opened.promise, signal);
      else await this.#above?.pass(signal);
    }
  }

  /** Calls back whenever the gate shuts; returns how to stop that. */
  onShut(listener: () => void): () => void {
    this.#shutListeners.add(listener);
    const stopAbove = this.#above?.onShut(listener);
    return () => {
      this.#shutListeners.delete(listener);
      stopAbove?.();
    };
  }
}

async function waitFor(pending: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  pending.then(resolve, reject);
  try {
    await promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
