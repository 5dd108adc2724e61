// The commands by name, each loaded only when it is asked for, and what people call them elsewhere.

import type { Command, Example } from "./command.ts";

interface Entry {
  readonly name: string;
  load(): Promise<Command>;
}

/** Every command, in the order of the help page. */
export const COMMANDS: readonly Entry[] = [
  { name: "install", load: async () => (await import("./install.ts")).installCommand },
  { name: "verify", load: async () => (await import("./verify.ts")).verifyCommand },
  { name: "cleanup", load: async () => (await import("./cleanup.ts")).cleanupCommand },
  { name: "usage", load: async () => (await import("./usage.ts")).usageCommand },
  { name: "list", load: async () => (await import("./list.ts")).listCommand },
  { name: "info", load: async () => (await import("./info.ts")).infoCommand },
  { name: "path", load: async () => (await import("./path.ts")).pathCommand },
  { name: "remove", load: async () => (await import("./remove.ts")).removeCommand },
  { name: "doctor", load: async () => (await import("./doctor.ts")).doctorCommand },
  { name: "demo", load: async () => (await import("./demo.ts")).demoCommand },
  { name: "version", load: async () => (await import("./version.ts")).versionCommand },
];

/** What other tools call the same thing. */
export const SYNONYMS: Readonly<Record<string, string>> = {
  add: "install",
  download: "install",
  fetch: "install",
  get: "install",
  pull: "install",
  delete: "remove",
  rm: "remove",
  uninstall: "remove",
  ls: "list",
  models: "list",
  check: "verify",
  diagnose: "doctor",
  fsck: "verify",
  repair: "verify",
  clean: "cleanup",
  gc: "cleanup",
  prune: "cleanup",
  df: "usage",
  du: "usage",
  show: "info",
  where: "path",
  which: "path",
};

/** Words that stand for several models. */
export const GROUP_WORDS: readonly string[] = ["core", "all", "models", "essentials", "everything", "tier"];

/** What most people want first. */
export const FIRST_STEPS: readonly Example[] = [
  ["luci list --available", "what the catalog offers"],
  ["luci install llama3.2", "a catalog name"],
  ["luci install hf:org/repo:Q4_K_M", "one quantisation of a Hugging Face repository"],
  ["luci verify", "is everything as it should be?"],
  ['llama-cli -m "$(luci path llama3.2)"', "use it"],
];
