// Does the disk of the models folder do what crash safety needs? Tried out in a folder of its own, which is
// removed in every case; one that a killed examination left is removed by the next.

import { dirname, join } from "node:path";
import { LuciError } from "../domain/errors.ts";
import type { DoctorCheck } from "../domain/doctor.ts";
import { formatBytes } from "../domain/size.ts";
import { canHardLink, canReflink } from "../platform/disk-abilities.ts";
import type { Files } from "../platform/files.ts";
import { tryLock } from "../platform/lock.ts";
import { isTagAlive, ownTag } from "../platform/machine.ts";
import { examine, fine, problem, problemOf, warning } from "./checks.ts";
import type { Context } from "./context.ts";
import { reserveFor, roomFor } from "./need.ts";

const PROBE = /^\.luci-doctor\.(\d+\.[0-9a-f]+)$/;
const FOUR_GIB = 4 * 1024 ** 3;
/** A model of seven thousand million parameters takes about half of it. */
const COMFORTABLE_BYTES = 10e9;

/** Everything that can be learned of the models folder's disk. */
export async function examineDisk(context: Context): Promise<DoctorCheck[]> {
  const { files, settings } = context;
  const { modelsFolder } = settings;
  const space = await examine("space", () => examineSpace(context));
  let probe: string | null = null;
  try {
    const { base, exists } = await findBase(files, modelsFolder);
    await removeStale(files, base);
    probe = join(base, `.luci-doctor.${ownTag()}`);
    await files.makeFolder(probe);
    await writeAndRead(files, join(probe, "written"));
    const finding = exists
      ? `${modelsFolder} can be written`
      : `${modelsFolder} is not there yet, and can be made`;
    return [fine("folder", finding), space, ...(await examineAbilities(context, probe))];
  } catch (thrown) {
    return [problemOf("folder", thrown), space];
  } finally {
    if (probe !== null) await files.removeTree(probe).catch(() => undefined);
  }
}

/** The models folder, or the nearest folder above it that is there. @throws LuciError E_IO when a file is in the way */
async function findBase(files: Files, modelsFolder: string): Promise<{ base: string; exists: boolean }> {
  let base = modelsFolder;
  let facts = await files.facts(base);
  while (facts === null && dirname(base) !== base) {
    base = dirname(base);
    facts = await files.facts(base);
  }
  if (facts?.kind === "file" || facts?.kind === "other") {
    throw new LuciError("E_IO", `${base} is no folder`, {
      hint: "Move it away, or choose another models folder with --dir",
    });
  }
  return { base, exists: base === modelsFolder };
}

async function removeStale(files: Files, base: string): Promise<void> {
  for (const name of await files.list(base)) {
    const tag = PROBE.exec(name)?.[1];
    const facts = tag === undefined ? null : await files.facts(join(base, name));
    if (tag === undefined || facts === null) continue;
    if (!isTagAlive(tag, { lastSignMs: facts.modifiedMs, nowMs: Date.now() }))
      await files.removeTree(join(base, name));
  }
}

/** @throws what the disk says; E_IO when it returns other bytes than it was given */
async function writeAndRead(files: Files, path: string): Promise<void> {
  const bytes = new TextEncoder().encode("luci ".repeat(20_000));
  const file = await files.open(path, "create");
  try {
    await file.write(0, [bytes]);
    await file.datasync();
    await file.sync();
    const back = new Uint8Array(bytes.length);
    if ((await file.read(back, 0)) !== bytes.length || !Buffer.from(back).equals(bytes))
      throw new LuciError("E_IO", `${path}: the disk gives back other bytes than were written`);
  } finally {
    await file.close();
  }
}

async function examineAbilities({ files }: Context, probe: string): Promise<DoctorCheck[]> {
  return [
    await examine("syncing", () => examineSync(files, probe)),
    await examine("renaming", () => examineRename(files, probe)),
    await examine("locks", () => examineLocks(probe)),
    await examine("big files", () => examineBigFiles(files, probe)),
    await examine("links", () => examineLinks(probe)),
    await examine("names", () => examineNames(files, probe)),
  ];
}

async function examineSync(files: Files, probe: string): Promise<DoctorCheck> {
  const startMs = performance.now();
  await writeAndRead(files, join(probe, "synced"));
  await files.syncFolder(probe);
  return fine("syncing", `files and folders reach the disk, in ${Math.ceil(performance.now() - startMs)} ms`);
}

async function examineRename(files: Files, probe: string): Promise<DoctorCheck> {
  const [from, to] = [join(probe, "new"), join(probe, "old")];
  await files.replaceText(to, "old");
  await files.replaceText(from, "new");
  await files.rename(from, to);
  const text = await files.readText(to, { maxBytes: 100 });
  if (text === "new" && (await files.facts(from)) === null)
    return fine("renaming", "a name replaces another in one step");
  return problem("renaming", "E_IO", {
    finding: "A renamed file does not take the place of the one that was there",
    advice: "Choose a models folder on another disk with --dir",
  });
}

async function examineLocks(probe: string): Promise<DoctorCheck> {
  const path = join(probe, "lock");
  const first = await tryLock(path);
  if (!("release" in first)) {
    return warning("locks", "Locks cannot be taken here", "Do not run two lucis in this folder at once");
  }
  try {
    const second = await tryLock(path);
    if (!("release" in second)) return fine("locks", "whoever has one keeps all others out");
    second.release();
    return warning(
      "locks",
      "Two can hold the same lock here: nothing breaks, but two lucis may fetch the same file twice",
      "Do not run two lucis in this folder at once",
    );
  } finally {
    first.release();
  }
}

async function examineBigFiles(files: Files, probe: string): Promise<DoctorCheck> {
  const file = await files.open(join(probe, "big"), "create");
  try {
    await file.truncate(FOUR_GIB + 1);
    const { sizeBytes } = await file.facts();
    if (sizeBytes === FOUR_GIB + 1) return fine("big files", "files may be larger than 4 GiB");
    throw new LuciError("E_IO", "Files end at 4 GiB here");
  } catch (thrown) {
    if (!(thrown instanceof LuciError)) throw thrown;
    return problem("big files", thrown.code, {
      finding: `No file can be larger than 4 GiB here (${thrown.message})`,
      advice: "Choose a models folder on another disk with --dir, or see `ulimit -f`",
    });
  } finally {
    await file.close();
  }
}

async function examineLinks(probe: string): Promise<DoctorCheck> {
  const shares = (await canReflink(probe)) ? "copies share their blocks" : "copies take room of their own";
  if (await canHardLink(probe)) return fine("links", `hard links work; ${shares}`);
  return warning(
    "links",
    `No hard links here; ${shares}`,
    "Do not put files of your own into the models folder while luci installs",
  );
}

async function examineNames(files: Files, probe: string): Promise<DoctorCheck> {
  await files.replaceText(join(probe, "letters"), "small");
  const isBlind = (await files.facts(join(probe, "LETTERS"))) !== null;
  return fine(
    "names",
    isBlind ? "capitals do not tell names apart; luci heeds it" : "capitals tell names apart",
  );
}

async function examineSpace(context: Context): Promise<DoctorCheck> {
  const { modelsFolder } = context.settings;
  const freeBytes = await context.files.freeBytes(modelsFolder);
  const diskBytes = await context.files.diskBytes(modelsFolder);
  const reserveBytes = Math.round(await reserveFor(context, []));
  const free = `${formatBytes(freeBytes)} free of ${formatBytes(diskBytes)}`;
  const catalog = await context.catalog().catch(() => null);
  const sizes = (catalog?.entries() ?? []).flatMap(({ sizeBytes }) => (sizeBytes ? [sizeBytes] : []));
  const smallestBytes = sizes.length === 0 ? 0 : Math.min(...sizes);
  const advice = "Free some space (`luci cleanup`, `luci usage`) or choose another folder with --dir";
  if (freeBytes < roomFor(smallestBytes)) {
    const finding = `${free}: not enough for the smallest model of the catalog (${formatBytes(smallestBytes)})`;
    return problem("space", "E_NO_SPACE", { finding, advice });
  }
  if (freeBytes < COMFORTABLE_BYTES) return warning("space", `${free}: little for a model`, advice);
  return fine("space", `${free}; luci leaves ${formatBytes(reserveBytes)} of it to others`);
}
