// The settings a run works with, after flag > environment > config.toml > default. Plain data.

import type { RateTimetable } from "./rate-timetable.ts";

/** What happens to unfinished files when a run is interrupted. */
export type PartialsPolicy = "resume" | "delete";

/** Which SHA-256 engine: hash-wasm (checkpointable), the runtime's native one, or by rule. */
export type HasherChoice = "auto" | "wasm" | "native";

/** Whom to tell that a model is ready. */
export interface HookSettings {
  /** A command for the shell; null for none. */
  readonly command: string | null;
  /** Where the news is posted; an address may be a secret. Null for nowhere. */
  readonly webhook: string | null;
  /** The command may take this long. */
  readonly limitMs: number;
}

export interface Settings {
  /** LUCI_HOME, absolute. */
  readonly homeFolder: string;
  /** Where models go, absolute. */
  readonly modelsFolder: string;
  readonly partials: PartialsPolicy;
  /** Files at once. */
  readonly jobs: number;
  /** Connections per file; null to adapt them to the link. */
  readonly connections: number | null;
  /** Whole-process limit; null for none. */
  readonly limitBytesPerSec: number | null;
  /** The limit by hours, in whose gaps the other one holds; null for none. */
  readonly limitTimetable: RateTimetable | null;
  readonly hooks: HookSettings;
  /** Whether downloads are remembered, on this machine only. */
  readonly keepsHistory: boolean;
  /** Attempts after the first, in a row without progress. */
  readonly retries: number;
  readonly hasher: HasherChoice;
  /** No byte for this long is a stall. */
  readonly stallMs: number;
  /** How long a full disk is waited for; 0 ends at once. */
  readonly diskWaitMs: number;
  /** PEM file of certificates to trust besides the built-in ones, absolute. */
  readonly caFile: string | null;
  /** Extra catalog files, the strongest first. */
  readonly catalogFiles: readonly string[];
  /** Base URL of the Hugging Face hub, without a trailing slash. */
  readonly hubEndpoint: string;
  /** The hub's token; sent to the hub's origin only. */
  readonly hubToken: string | null;
}
