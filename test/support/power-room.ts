// A file system in a file, as a disk that can lose its power: what a copy of the file holds is what had reached the
// device, and nothing else. Needs root, loop devices and mkfs.ext4. Knows nothing of luci.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Demand, execute, mountAt, type Mounted, mountTmpfs } from "./real-disk.ts";

const MIB = 1024 * 1024;
const IMAGE_BYTES = 512 * MIB;
const MOST_COPIES = 6;

/** What this room needs of the machine. */
export const POWER_DEMAND: Demand = {
  what: "power cuts",
  programs: ["mount", "umount", "losetup", "mkfs.ext4", "cp", "findmnt", "unshare"],
  probe: async () => {
    await using room = await openPowerRoom("ordered");
    await room.cut();
  },
};

/** How ext4 orders data and names: `writeback` lets a name be durable long before its data. */
export type DataMode = "ordered" | "writeback";

export interface Snapshot {
  readonly path: string;
  /** The disk was still being written while it was copied: no single moment of it. */
  readonly fuzzy: boolean;
}

export interface PowerRoom extends AsyncDisposable {
  /** Where the file system is mounted. */
  readonly path: string;
  /** Put before a program: the same machine after another boot. */
  readonly otherBoot: readonly string[];
  /** The disk as the device has it now; stop who writes first. */
  cut(): Promise<Snapshot>;
  /** Mounts a snapshot, as a machine that boots again does. */
  boot(snapshot: Snapshot): Promise<Mounted>;
}

/** Makes an empty file system and mounts it. */
export async function openPowerRoom(mode: DataMode): Promise<PowerRoom> {
  await using stack = new AsyncDisposableStack();
  const room = stack.use(await mountTmpfs(3 * IMAGE_BYTES));
  const folder = await mkdtemp(join(tmpdir(), "luci-power-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const image = join(room.path, "disk");
  await writeFile(image, "");
  await execute(["truncate", "-s", String(IMAGE_BYTES), image]);
  await execute(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,nodiscard", image]);
  const options = `loop,data=${mode},commit=1`;
  const disk = stack.use(await mountAt(["-o", options, image]));
  const bootFile = join(folder, "boot_id");
  await writeFile(bootFile, `${crypto.randomUUID()}\n`);
  await mkdir(join(disk.path, "home"));
  await execute(["sync", "-f", disk.path]);
  const device = (await execute(["findmnt", "--noheadings", "--output", "SOURCE", disk.path])).trim();
  const held = stack.move();
  return {
    path: disk.path,
    otherBoot: [
      "unshare",
      "--mount",
      "sh",
      "-c",
      `mount --bind '${bootFile}' /proc/sys/kernel/random/boot_id && exec "$@"`,
      "sh",
    ],
    cut: () => copyImage(image, { path: join(room.path, "snapshot"), device }),
    boot: (snapshot) => mountAt(["-o", options, snapshot.path]),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Copies until no write came in between: then the copy is one moment of the disk. */
async function copyImage(image: string, to: { path: string; device: string }): Promise<Snapshot> {
  for (let copies = 1; ; copies += 1) {
    const before = await writesOf(to.device);
    await execute(["cp", "--sparse=always", image, to.path]);
    const after = await writesOf(to.device);
    const isSharp = before.inFlight === 0 && after.inFlight === 0 && before.done === after.done;
    if (isSharp || copies === MOST_COPIES) return { path: to.path, fuzzy: !isSharp };
  }
}

/** Requests of a block device: fields 5 and 9 of its stat (Documentation/block/stat.rst), flushes in field 16. */
async function writesOf(device: string): Promise<{ done: string; inFlight: number }> {
  const text = await readFile(`/sys/block/${basename(device)}/stat`, "utf8");
  const fields = text.trim().split(/\s+/);
  return { done: `${fields[4]} ${fields[15]}`, inFlight: Number(fields[8]) };
}
