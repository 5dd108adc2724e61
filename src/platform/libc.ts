// The C library, for the few calls that the runtime does not offer. Null where there is none that is known.

import type { FFIFunction, Library } from "bun:ffi";

/** Opens the system's C library with the functions asked for. */
export async function openLibc<Functions extends Record<string, FFIFunction>>(
  functions: Functions,
): Promise<Library<Functions>["symbols"] | null> {
  if (process.platform === "win32") return null;
  const { dlopen } = await import("bun:ffi");
  const names =
    process.platform === "darwin"
      ? ["libSystem.B.dylib"]
      : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];
  for (const name of names) {
    try {
      return dlopen(name, functions).symbols;
    } catch {
      // not this C library
    }
  }
  return null;
}
