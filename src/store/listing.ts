// What stood in folders when they were first looked into: one question for a folder instead of one for each file.

import { basename, dirname } from "node:path";
import type { Files } from "../platform/files.ts";

/** Each folder as it was when it was first asked about. For surveys: not for decisions that must see the latest. */
export class Listing {
  readonly #files: Files;
  readonly #folders = new Map<string, Promise<ReadonlySet<string> | null>>();

  constructor(files: Files) {
    this.#files = files;
  }

  /**
   * Whether there may be something of that name: a name that only looks alike counts, some disks make no difference,
   * and any in a folder that cannot be listed, as one may enter what one may not read.
   */
  async has(path: string): Promise<boolean> {
    const folder = dirname(path);
    const names = this.#folders.get(folder) ?? this.#list(folder);
    this.#folders.set(folder, names);
    return (await names)?.has(plain(basename(path))) ?? true;
  }

  async #list(folder: string): Promise<ReadonlySet<string> | null> {
    const names = await this.#files.list(folder).catch(() => null);
    return names && new Set(names.map(plain));
  }
}

function plain(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
