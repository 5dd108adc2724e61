// Rows that say where the floor is: the same work by a program that does nothing else.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Load } from "./commands.ts";
import type { Contender } from "./race.ts";

const HERE = import.meta.dir;
const OUT = "floor.out";

/** What these rows are. */
export const FLOOR_INTRO = [
  "[floor] is no product: a Bun program that fetches, writes, reads back and hashes the same bytes and does nothing else " +
    "(scripts/bench/floor.ts), with or without making them durable. It says what the runtime and the machine leave room for.",
];

/** Compiles the floor program into a folder and returns its path. @throws Error when it does not build */
export async function buildFloor(folder: string): Promise<string> {
  const outfile = join(folder, "floor");
  const built = await Bun.build({
    entrypoints: [join(HERE, "floor.ts"), join(HERE, "floor.worker.ts")],
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    splitting: true,
    // Flat, so that the worker is found beside the program that starts it.
    naming: { entry: "[name].[ext]" },
    compile: { outfile },
  });
  if (!built.success)
    throw new Error(`the floor program does not build: ${built.logs.map(String).join("\n")}`);
  return outfile;
}

/** One file: ranges, hash, and every byte on the disk as luci leaves it, or not. */
export function floorOne(
  load: Load,
  { program, durable, connections = 4 }: { program: string; durable: boolean; connections?: number },
): Contender {
  const [file] = load.set.files;
  const [url] = load.urls;
  const words = [
    program,
    "one",
    url ?? "",
    String(file?.sizeBytes),
    String(connections),
    ...(durable ? ["--durable"] : []),
  ];
  return {
    name: nameOf(durable),
    job: (folder) => ({ words, folder }),
    find: (folder) => join(folder, OUT),
    check: ({ stdout }) => (stdout.trim() === file?.sha256 ? null : "its own digest is wrong"),
  };
}

/** Many files: fetched, read back, hashed, renamed. */
export function floorMany(
  load: Load,
  { program, durable }: { program: string; durable: boolean },
): Contender {
  const list = load.set.files.map(({ path, sha256 }, index) => `${load.urls[index]} ${path} ${sha256}\n`);
  return {
    name: nameOf(durable),
    job: (folder) => {
      writeFileSync(join(folder, "list.txt"), list.join(""));
      return { words: [program, "many", "list.txt", ...(durable ? ["--durable"] : [])], folder };
    },
  };
}

function nameOf(durable: boolean): string {
  return durable ? "[floor] Bun, durable" : "[floor] Bun, not durable";
}
