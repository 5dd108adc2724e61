// Flags that several commands share, in citty's words.

import type { ArgsDef } from "citty";

/** On every command. */
export const COMMON_FLAGS = {
  json: { type: "boolean", description: "Events and the result as NDJSON on stdout" },
  quiet: { type: "boolean", alias: "q", description: "Say nothing but results and errors" },
  help: { type: "boolean", alias: "h", description: "Show this page" },
} as const satisfies ArgsDef;

/** On every command that works in the models folder. */
export const FOLDER_FLAGS = {
  dir: {
    type: "string",
    valueHint: "folder",
    description: "Models folder (default: $LUCI_MODELS, else $LUCI_HOME/models)",
  },
} as const satisfies ArgsDef;

/** Which SHA-256 engine reads files. */
export const HASHER_FLAGS = {
  hasher: {
    type: "enum",
    options: ["auto", "wasm", "native"],
    description: "SHA-256 engine (default: auto)",
  },
} as const satisfies ArgsDef;

/** On every command that makes models ready. */
export const HOOK_FLAGS = {
  "on-ready": {
    type: "string",
    valueHint: "command",
    description: "Run this when a model is ready (LUCI_MODEL, LUCI_PATH, LUCI_REF)",
  },
} as const satisfies ArgsDef;

/** How long a full disk is waited for. */
export const DISK_FLAGS = {
  "disk-wait": {
    type: "string",
    valueHint: "10m",
    description: "How long to wait for room on a full disk (default: 10m, 0: not at all)",
  },
} as const satisfies ArgsDef;

/** On every command that may fetch. */
export const NETWORK_FLAGS = {
  "ca-file": {
    type: "string",
    valueHint: "file",
    description: "Certificates (PEM) to trust besides the usual ones",
  },
} as const satisfies ArgsDef;

/** Flags that become settings, over environment and config.toml. */
export const SETTING_FLAGS = [
  "dir",
  "partials",
  "jobs",
  "connections",
  "limit-rate",
  "retries",
  "hasher",
  "on-ready",
  "webhook",
  "disk-wait",
  "ca-file",
] as const;

/** Flags that may stand before the command's name and take a value. */
export const LEADING_VALUE_FLAGS: ReadonlySet<string> = new Set(Object.keys(FOLDER_FLAGS));
