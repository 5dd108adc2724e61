// Keeping resident memory flat while bytes stream through: the runtime's collector counts objects, not the
// buffers of the network behind them, and comes too late by itself. Chunks are freed where they are written;
// this is for what is left beside them.

/** Looked at after this much was received. */
const EVERY_BYTES = 32 * 1024 * 1024;
/** Below this the collector is left alone. */
const CALM_BYTES = 112 * 1024 * 1024;

/**
 * Counts received bytes and collects garbage when they pile up. One for all connections of a client:
 * several clients of a process count apart, and each collects when it alone has received enough.
 */
export function createMemoryRelief(): (receivedBytes: number) => void {
  let sinceBytes = 0;
  return (receivedBytes) => {
    sinceBytes += receivedBytes;
    if (sinceBytes < EVERY_BYTES) return;
    sinceBytes = 0;
    if (process.memoryUsage.rss() > CALM_BYTES) Bun.gc(true);
  };
}
