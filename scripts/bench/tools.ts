// The programs that are measured or needed to measure: which are here, in which version, where they come from.

import { existsSync } from "node:fs";
import { join } from "node:path";

type ToolId =
  | "nginx"
  | "time"
  | "curl"
  | "aria2c"
  | "wget2"
  | "openssl"
  | "sha256sum"
  | "sync"
  | "node"
  | "ipull"
  | "hf";

interface Tool {
  readonly id: ToolId;
  readonly from: string;
  /** Without it nothing can be measured. */
  readonly required?: true;
  readonly version?: readonly string[];
}

const TOOLS: readonly Tool[] = [
  { id: "nginx", from: "apt-get install nginx-light", required: true, version: ["-v"] },
  { id: "time", from: "apt-get install time", required: true },
  { id: "curl", from: "apt-get install curl", required: true },
  { id: "aria2c", from: "apt-get install aria2" },
  { id: "wget2", from: "apt-get install wget2" },
  { id: "openssl", from: "apt-get install openssl", version: ["version"] },
  { id: "sha256sum", from: "apt-get install coreutils" },
  { id: "sync", from: "apt-get install coreutils" },
  { id: "node", from: "https://nodejs.org; it runs @huggingface/hub" },
  { id: "ipull", from: "npm install --prefix DATA/tools ipull" },
  {
    id: "hf",
    from: "python3 -m venv DATA/tools/hf && DATA/tools/hf/bin/pip install huggingface_hub",
    version: ["version"],
  },
];

export interface Tools {
  /** Absolute path of a program; null when it is not here. */
  path(id: ToolId): string | null;
  /** Name and version of each that is here. */
  readonly versions: readonly string[];
  /** One sentence for each that is not. */
  readonly missing: readonly string[];
}

/**
 * Looks for the programs in PATH, nginx also where Debian puts it, and in DATA/tools.
 * @throws Error naming what has to be installed before anything can be measured
 */
export function findTools(dataFolder: string): Tools {
  const folder = join(dataFolder, "tools");
  const places = [
    process.env["PATH"] ?? "",
    "/usr/sbin",
    join(folder, "node_modules/.bin"),
    join(folder, "hf/bin"),
  ];
  const found = new Map<ToolId, string>();
  for (const { id } of TOOLS) {
    const path = Bun.which(id, { PATH: places.join(":") });
    if (path !== null) found.set(id, path);
  }
  const absent = TOOLS.filter(({ id }) => !found.has(id));
  const from = (tool: Tool) => tool.from.replaceAll("DATA", dataFolder);
  const needed = absent.filter(({ required }) => required);
  if (needed.length > 0)
    throw new Error(needed.map((tool) => `${tool.id} is missing: ${from(tool)}`).join("\n"));
  return {
    path: (id) => found.get(id) ?? null,
    versions: TOOLS.flatMap((tool) => describe(tool, found.get(tool.id))),
    missing: absent.map((tool) => `${tool.id} is not here and was left out (${from(tool)})`),
  };
}

/** The first line that a program prints of its version. */
export function firstLine(words: readonly string[]): string {
  const run = Bun.spawnSync([...words], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const lines = `${run.stdout.toString()}\n${run.stderr.toString()}`.split("\n");
  return lines.find((line) => line.trim() !== "")?.trim() ?? "";
}

function describe(tool: Tool, path: string | undefined): string[] {
  if (path === undefined || !existsSync(path)) return [];
  const line = firstLine([path, ...(tool.version ?? ["--version"])]);
  const version = /\d+(?:\.\d+)+\w*/.exec(line)?.[0];
  return [version === undefined ? tool.id : `${tool.id} ${version}`];
}
