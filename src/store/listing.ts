// What stood in folders when they were first looked into: one question for a folder instead of one for each file.

import { basename, dirname } from "node:path";
import type { Files } from "../platform/files.ts";

/** Each folder as it was when it was first asked about. For surveys: not for decisions that must see the latest. */
export class Listing {
  readonly #files: Files;
  readonly #folders = new Map<string, Promise<ReadonlySet<string>>>();

  constructor(files: Files) {
    this.#files = files;
  }

  /** Whether there may be something of that name: a name that only looks alike counts, some disks make no difference. */
  async has(path: string): Promise<boolean> {
    const folder = dirname(path);
    const names = this.#folders.get(folder) ?? this.#list(folder);
    this.#folders.set(folder, names);
    return (await names).has(plain(basename(path)));
  }

  async #list(folder: string): Promise<ReadonlySet<string>> {
    return new Set((await this.#files.list(folder)).map(plain));
  }
}

function plain(name: string): string {
  return name.normalize("NFC").toLowerCase();
}
