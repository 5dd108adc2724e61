// The invariant that no fault may break, checked from outside and at any time, while luci runs or is dead:
// a file under its final name is complete and right, manifests point to such files, journals claim no more than
// their data file can hold. Knows the layout on disk, none of luci's code.

import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { basename, join, relative, sep } from "node:path";
import type { Hub } from "../../src/demo/hub.ts";

const READ_STEP_BYTES = 4 * 1024 * 1024;

/** What was looked at, so that a test can tell "nothing wrong" from "nothing there". */
export interface InvariantReport {
  /** Finals, relative to the models folder, with forward slashes. */
  readonly finals: readonly string[];
  /** Names of the models with a manifest. */
  readonly models: readonly string[];
  readonly journals: number;
  /** Every breach, as a sentence. Empty is what a test wants. */
  readonly breaches: readonly string[];
}

interface ManifestText {
  readonly name?: string;
  readonly files?: readonly { readonly path: string; readonly sizeBytes: number; readonly sha256: string }[];
}

interface JournalText {
  readonly check?: string;
  readonly journal?: {
    readonly ranges?: readonly (readonly [number, number])[];
    readonly sizeBytes?: number | null;
  };
}

type FoundFile = { readonly path: string; readonly sizeBytes: number; readonly sha256: string };

/** Looks at a models folder. A folder that does not exist is empty. */
export async function inspect(
  modelsFolder: string,
  hub: Pick<Hub, "repoNames" | "filesOf">,
): Promise<InvariantReport> {
  const breaches: string[] = [];
  const finals = new Map<string, FoundFile>();
  for (const path of await filesBelow(modelsFolder, modelsFolder)) {
    const found = await hashFile(modelsFolder, path);
    finals.set(path, found);
    if (!expectedDigests(path, hub).has(found.sha256)) {
      breaches.push(
        `${path} (${found.sizeBytes} bytes, ${found.sha256}) is under a final name but not what the hub has`,
      );
    }
  }
  const models = await checkManifests(modelsFolder, { finals, breaches });
  const journals = await checkJournals(modelsFolder, breaches);
  return { finals: [...finals.keys()].toSorted(), models, journals, breaches };
}

/** The same, for a test that wants it to hold. @throws Error naming every breach */
export async function checkInvariants(
  modelsFolder: string,
  hub: Pick<Hub, "repoNames" | "filesOf">,
): Promise<InvariantReport> {
  const report = await inspect(modelsFolder, hub);
  if (report.breaches.length > 0) throw new Error(`invariant broken:\n  ${report.breaches.join("\n  ")}`);
  return report;
}

/** Finals: every file that is not in luci's own folder. */
async function filesBelow(folder: string, root: string): Promise<string[]> {
  const entries = await entriesOf(folder);
  const found = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      if (path === join(root, ".luci")) return [];
      if (entry.isDirectory()) return filesBelow(path, root);
      return [relative(root, path).split(sep).join("/")];
    }),
  );
  return found.flat();
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Digests the hub has for a final: `org--repo/path` names repository and path, anything else a file name. */
function expectedDigests(path: string, hub: Pick<Hub, "repoNames" | "filesOf">): Set<string> {
  const [folder = "", ...rest] = path.split("/");
  const digests = hub.repoNames().flatMap((repo) => {
    const isFolder = rest.length > 0;
    if (isFolder && folder !== repo.replace("/", "--")) return [];
    const files = [...hub.filesOf(repo).values()];
    const named = files.filter((file) =>
      isFolder ? file.path === rest.join("/") : basename(file.path) === folder,
    );
    return named.map((file) => file.content.sha256);
  });
  return new Set(digests);
}

async function checkManifests(
  modelsFolder: string,
  state: { finals: ReadonlyMap<string, FoundFile>; breaches: string[] },
): Promise<string[]> {
  const { finals, breaches } = state;
  const models: string[] = [];
  for (const { name, text } of await readJsonFiles(modelsFolder, { kind: "manifests", breaches })) {
    const manifest = text as ManifestText;
    models.push(manifest.name ?? name);
    for (const file of manifest.files ?? []) {
      const final = finals.get(file.path);
      if (!final) breaches.push(`manifest ${name} points to ${file.path}, which is missing`);
      else if (final.sha256 !== file.sha256 || final.sizeBytes !== file.sizeBytes) {
        breaches.push(`manifest ${name} says ${file.sha256} for ${file.path}, the file is ${final.sha256}`);
      }
    }
    if (!manifest.files?.length) breaches.push(`manifest ${name} names no file`);
  }
  return models.toSorted();
}

/** A journal may lag behind its data file, never run ahead. One without data file is left over, not wrong. */
async function checkJournals(modelsFolder: string, breaches: string[]): Promise<number> {
  const folder = join(modelsFolder, ".luci", "v1", "partials");
  const names = (await entriesOf(folder)).map((entry) => entry.name);
  const journals = await readJsonFiles(modelsFolder, { kind: "partials", breaches });
  for (const { name, text } of journals) {
    const { journal, check } = text as JournalText;
    if (!journal || check !== createHash("sha256").update(JSON.stringify(journal)).digest("hex")) {
      breaches.push(`journal ${name} does not prove itself`);
      continue;
    }
    const key = name.replace(/\.json$/, "");
    const claimedBytes = Math.max(0, ...(journal.ranges ?? []).map(([, endBytes]) => endBytes));
    for (const part of names.filter((one) => one.startsWith(`${key}.`) && one.endsWith(".part"))) {
      const heldBytes = await sizeOf(join(folder, part));
      // A process that is at work may rename the data file under our eyes.
      if (heldBytes !== null && claimedBytes > heldBytes) {
        breaches.push(`journal ${name} claims ${claimedBytes} bytes, ${part} holds ${heldBytes}`);
      }
    }
  }
  return journals.length;
}

async function readJsonFiles(
  modelsFolder: string,
  options: { kind: "manifests" | "partials"; breaches: string[] },
): Promise<{ name: string; text: unknown }[]> {
  const folder = join(modelsFolder, ".luci", "v1", options.kind);
  const found: { name: string; text: unknown }[] = [];
  for (const { name } of await entriesOf(folder)) {
    if (!name.endsWith(".json")) continue;
    try {
      found.push({ name, text: JSON.parse(await readFile(join(folder, name), "utf8")) as unknown });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") continue;
      options.breaches.push(`${options.kind}/${name} cannot be read: ${String(error)}`);
    }
  }
  return found;
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch {
    return null;
  }
}

async function hashFile(root: string, path: string): Promise<FoundFile> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(READ_STEP_BYTES);
  const file = await open(join(root, ...path.split("/")), "r");
  let sizeBytes = 0;
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, sizeBytes);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      sizeBytes += bytesRead;
    }
  } finally {
    await file.close();
  }
  return { path, sizeBytes, sha256: hash.digest("hex") };
}
