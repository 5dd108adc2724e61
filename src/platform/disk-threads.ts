// How many threads wait for the disk. The runtime has as many as there are cores, which is right for computing;
// a sync only waits, and the file system makes one commit of what is synced together.

import { openLibc } from "./libc.ts";

const THREADS = 8;
/** Where the runtime reads the number, once, before its first thread starts (Bun and libuv agree on the name). */
const VARIABLE = "UV_THREADPOOL_SIZE";

/** Lets that many disk operations wait at once. Only of use before the first one; a user's own number stays. */
export async function widenDiskThreads(): Promise<void> {
  if (process.env[VARIABLE] !== undefined) return;
  // The runtime does not hear an assignment to process.env here.
  const libc = await openLibc({ setenv: { args: ["cstring", "cstring", "i32"], returns: "i32" } });
  libc?.setenv(Buffer.from(`${VARIABLE}\0`), Buffer.from(`${THREADS}\0`), 1);
}
