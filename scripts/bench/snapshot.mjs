// One snapshot of a repository with @huggingface/hub, for Node: `node snapshot.mjs org/repo hub-url cache-folder`.

import { symlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { snapshotDownload } from "@huggingface/hub";

const [repo, hubUrl, cacheDir] = process.argv.slice(2);
await mkdir(cacheDir, { recursive: true });
const folder = await snapshotDownload({ repo, hubUrl, cacheDir });
symlinkSync(folder, join(cacheDir, "snapshot"));
