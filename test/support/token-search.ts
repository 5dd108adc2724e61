// Looks for secrets where they must not be: in every byte below a folder, names included, in everything that was
// said, and in requests to whoever must not hear them. Knows none of luci's code.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";

/** A secret and who may hear it. */
export interface Secret {
  /** What it is, for messages; the secret itself is never printed. */
  readonly name: string;
  readonly text: string;
  /** Whether a request may carry it; no request may unless given. */
  mayHear?(request: HeardRequest): boolean;
}

/** A request as it reached a server. */
export interface HeardRequest {
  readonly side: string;
  readonly target: string;
  /** The whole head. */
  readonly raw: string;
}

export interface SearchPlaces {
  readonly requests: readonly HeardRequest[];
  /** Searched with everything below it. A folder that does not exist holds nothing. */
  readonly folder: string;
  /** Events, standard output and error, messages: by name. */
  readonly said: Readonly<Record<string, string>>;
}

/** Every place where a secret is that must not be there, as a sentence. Empty is what a test wants. */
export async function findLeaks(secrets: readonly Secret[], places: SearchPlaces): Promise<string[]> {
  const leaks: string[] = [];
  const files = await readAll(places.folder);
  for (const secret of secrets) {
    const shapes = shapesOf(secret.text);
    const holds = (bytes: Uint8Array): boolean => shapes.some((shape) => Buffer.from(bytes).includes(shape));
    for (const request of places.requests) {
      const isAllowed = secret.mayHear?.(request) ?? false;
      if (!isAllowed && holds(Buffer.from(request.raw, "latin1")))
        leaks.push(`${secret.name} went to ${request.side}${request.target.replace(/\?.*$/s, "?…")}`);
    }
    for (const { path, bytes } of files) {
      if (holds(bytes) || holds(Buffer.from(path))) leaks.push(`${secret.name} is in the file ${path}`);
    }
    for (const [name, text] of Object.entries(places.said))
      if (holds(Buffer.from(text))) leaks.push(`${secret.name} is said in ${name}`);
  }
  return leaks;
}

/** @throws Error naming every leak */
export async function checkNoLeaks(secrets: readonly Secret[], places: SearchPlaces): Promise<void> {
  const leaks = await findLeaks(secrets, places);
  if (leaks.length > 0) throw new Error(`secrets leaked:\n  ${leaks.join("\n  ")}`);
}

/** A secret as it may hide: as it is, percent-encoded, hex, UTF-16, base64 at any of three offsets. */
function shapesOf(text: string): Buffer[] {
  const base64 = [0, 1, 2].map((shift) => {
    const encoded = Buffer.from(`${"\0".repeat(shift)}${text}`)
      .toString("base64")
      .replace(/=+$/, "");
    // The first and last characters depend on the neighbours.
    return encoded.slice(shift === 0 ? 0 : shift + 1, -1);
  });
  const url = base64.map((shape) => shape.replaceAll("+", "-").replaceAll("/", "_"));
  const hex = Buffer.from(text).toString("hex");
  const wide = Buffer.from(text, "utf16le");
  const shapes = [text, encodeURIComponent(text), hex, hex.toUpperCase(), ...base64, ...url];
  return [...new Set(shapes)].map((shape) => Buffer.from(shape)).concat(wide);
}

async function readAll(folder: string): Promise<{ path: string; bytes: Uint8Array }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return Promise.all(
    entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      // A process that is at work may take a file away under our eyes.
      const bytes = entry.isFile() ? await readFile(path).catch(() => null) : null;
      return { path: path.slice(folder.length + 1), bytes: bytes ?? new Uint8Array() };
    }),
  );
}
