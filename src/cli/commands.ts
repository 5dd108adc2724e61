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
  { name: "wait", load: async () => (await import("./wait.ts")).waitCommand },
  { name: "history", load: async () => (await import("./history.ts")).historyCommand },
  { name: "usage", load: async () => (await import("./usage.ts")).usageCommand },
  { name: "list", load: async () => (await import("./list.ts")).listCommand },
  { name: "info", load: async () => (await import("./info.ts")).infoCommand },
  { name: "path", load: async () => (await import("./path.ts")).pathCommand },
  { name: "remove", load: async () => (await import("./remove.ts")).removeCommand },
  { name: "ps", load: async () => (await import("./ps.ts")).psCommand },
  { name: "pause", load: async () => (await import("./pause.ts")).pauseCommand },
  { name: "resume", load: async () => (await import("./resume.ts")).resumeCommand },
  { name: "cancel", load: async () => (await import("./cancel.ts")).cancelCommand },
  { name: "limit", load: async () => (await import("./limit.ts")).limitCommand },
  { name: "priority", load: async () => (await import("./priority.ts")).priorityCommand },
  { name: "serve", load: async () => (await import("./serve.ts")).serveCommand },
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
  jobs: "ps",
  status: "ps",
  top: "ps",
  stop: "pause",
  continue: "resume",
  unpause: "resume",
  abort: "cancel",
  throttle: "limit",
  nice: "priority",
  daemon: "serve",
  server: "serve",
  await: "wait",
  log: "history",
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
