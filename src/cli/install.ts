// `luci install`: which models, with which care; asks before a whole group.

import type { install } from "../app/install.ts";
import { type ErrorReport, LuciError, reportError } from "../domain/errors.ts";
import type { Ref } from "../domain/ref.ts";
import type { InstallResult } from "../domain/results.ts";
import { formatBytes } from "../domain/size.ts";
import { type Command, type Front, type Input, type Outcome, succeeded } from "./command.ts";
import { COMMON_FLAGS, DISK_FLAGS, FOLDER_FLAGS, HASHER_FLAGS, HOOK_FLAGS, NETWORK_FLAGS } from "./flags.ts";
import { readPriority } from "./priority.ts";

type Confirm = Parameters<typeof install>[1]["confirm"];

const SHA256 = /^[0-9a-f]{64}$/i;

export const installCommand: Command = {
  name: "install",
  summary: "Put models on the disk, or bring them up to date",
  args: {
    ref: {
      type: "positional",
      required: false,
      description:
        "a catalog name, `core models`, `all models`, `tier 2`, hf:org/repo[@revision][:quant-or-path], a huggingface.co page, or https://…[#sha256=hex]",
    },
    partials: {
      type: "enum",
      options: ["resume", "delete"],
      description: "What an interrupt does with unfinished files (default: resume)",
    },
    resume: {
      type: "boolean",
      default: true,
      description: "Forget what an earlier run left and start from the first byte",
    },
    force: { type: "boolean", description: "Fetch again what is already installed" },
    "dry-run": { type: "boolean", description: "Show what would be done, change nothing" },
    yes: { type: "boolean", alias: "y", description: "Do not ask before a group of models" },
    detach: { type: "boolean", description: "Hand it to `luci serve` and end" },
    priority: {
      type: "string",
      valueHint: "high|normal|low",
      description: "What goes first (default: normal; also a number from -100 to 100)",
    },
    sha256: { type: "string", valueHint: "hex", description: "The SHA-256 the file must have" },
    "allow-unsafe": { type: "boolean", description: "Also take files that can run code when loaded" },
    wait: { type: "boolean", default: true, description: "Give up at once where another luci is at work" },
    jobs: { type: "string", valueHint: "1-16", description: "Files at once (default: 4)" },
    connections: {
      type: "string",
      valueHint: "1-16|auto",
      description: "Connections per file (default: auto, as many as pay)",
    },
    "limit-rate": {
      type: "string",
      valueHint: "20M",
      description: "Bytes per second for everything together (0: no limit)",
    },
    retries: { type: "string", valueHint: "0-100", description: "Attempts after a failed one (default: 3)" },
    ...HOOK_FLAGS,
    ...DISK_FLAGS,
    ...NETWORK_FLAGS,
    ...HASHER_FLAGS,
    ...FOLDER_FLAGS,
    ...COMMON_FLAGS,
  },
  words: {
    min: 1,
    max: Number.POSITIVE_INFINITY,
    missing: "`luci list --available` shows the names of the catalog",
  },
  examples: [
    ["luci install llama3.2", "a catalog name"],
    ["luci install core models", "the four core models"],
    ["luci install hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M", "one quantisation of a repository"],
    ["luci install hf:Qwen/Qwen3-4B", "a whole repository"],
    ["luci install https://example.org/x.gguf --sha256 HEX", "any address, checked"],
    ["luci install mistral --detach", "let a running `luci serve` do it"],
    ["luci install mistral --on-ready 'systemctl restart chat'", "tell somebody when it is ready"],
    ["luci install all models --dry-run", "only show what it would take"],
  ],
  network: true,
  run,
};

async function run(input: Input, front: Front): Promise<Outcome> {
  const sha256 = readSha256(input.text("sha256"));
  const [{ install: installModels }, { parseRefs }, context] = await Promise.all([
    import("../app/install.ts"),
    import("../domain/ref.ts"),
    front.context(),
  ]);
  const refs = parseRefs(input.words, { hubEndpoint: context.settings.hubEndpoint });
  if (sha256 !== null && (refs.length > 1 || refs.some(isGroup))) {
    throw new LuciError("E_USAGE", "`--sha256` is the digest of one file, but several models are named");
  }
  const asks = refs.some(needsConsent) && !input.on("yes") && !input.on("dry-run");
  if (asks && !front.interactive) {
    const hint = "Add --yes to install them without a question, or --dry-run to see what they take";
    throw new LuciError(
      "E_USAGE",
      `\`${input.words.join(" ")}\` stands for many models and nobody is here to be asked`,
      { hint },
    );
  }
  const typed = input.text("priority");
  const priority = typed === null ? null : readPriority(typed);
  if (input.on("detach")) {
    const names = `\`${input.words.join(" ")}\``;
    if (asks && !(await front.ask(`Queue everything that ${names} stands for?`))) return declined();
    return (await import("./detach.ts")).detach(input, front, { sha256, priority });
  }
  const result = await installModels(context, {
    refs,
    force: input.on("force"),
    resume: input.on("resume"),
    dryRun: input.on("dry-run"),
    sha256,
    allowUnsafe: input.on("allow-unsafe"),
    wait: input.on("wait"),
    ...(priority === null ? {} : { job: { priority } }),
    confirm: asks ? confirmWith(front) : async () => true,
  });
  return { result, error: errorOf(result) };
}

function readSha256(text: string | null): string | null {
  if (text === null || SHA256.test(text)) return text?.toLowerCase() ?? null;
  throw new LuciError("E_USAGE", "`--sha256` takes 64 hexadecimal digits", {
    hint: "`sha256sum FILE` prints them",
  });
}

function declined(): Outcome {
  return succeeded({
    command: "install",
    installed: [],
    failed: [],
    totalModels: 0,
    fetchedBytes: 0,
    elapsedMs: 0,
    dryRun: null,
    declined: true,
  });
}

function isGroup(ref: Ref): boolean {
  return ref.kind === "group" || ref.kind === "tier";
}

/** The core models are few and known; everything else that stands for many is asked about. */
function needsConsent(ref: Ref): boolean {
  return isGroup(ref) && !(ref.kind === "group" && ref.group === "core");
}

function confirmWith(front: Front): Confirm {
  return ({ models, totalBytes, missingBytes, freeBytes }) => {
    const count = `${models} ${models === 1 ? "model" : "models"}`;
    const sizes = `${formatBytes(totalBytes)} in all, ${formatBytes(missingBytes)} to fetch, ${formatBytes(freeBytes)} free`;
    return front.ask(`Install ${count}: ${sizes}?`);
  };
}

/** One model asked for and failed: its own error. Several: E_SOME_FAILED, unless it was the disk for all of them. */
function errorOf({ failed, totalModels }: InstallResult): ErrorReport | null {
  const [first] = failed;
  if (first === undefined) return null;
  if (totalModels === 1) return first.error;
  if (failed.every(({ error }) => error.code === "E_CANCELLED"))
    return reportError(new LuciError("E_CANCELLED", `${failed.length} of ${totalModels} models cancelled`));
  if (failed.every(({ error }) => error.code === "E_NO_SPACE")) {
    const message = `${failed.length} of ${totalModels} models had no room on the disk`;
    return { ...first.error, message };
  }
  return reportError(new LuciError("E_SOME_FAILED", `${failed.length} of ${totalModels} models failed`));
}
