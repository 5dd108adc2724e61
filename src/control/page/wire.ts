// The shapes of luci's HTTP API that are not already those of its domain.

import type { LuciEventBody } from "../../domain/events.ts";
import type { Job } from "../../domain/job.ts";
import type { CatalogEntry, InstalledModel } from "../../domain/results.ts";

export interface Health {
  readonly version: string;
  readonly pid: number;
}

export interface Downloads {
  readonly downloads: readonly Job[];
  readonly seq: number;
}

export interface Settings {
  /** Bytes per second of everything together. */
  readonly limitRate: number | null;
  /** Who set it, where there is a timetable. */
  readonly limitBy?: "hand" | "timetable";
}

export interface Models {
  readonly models: readonly InstalledModel[];
}

export interface CatalogModel extends CatalogEntry {
  readonly isInstalled: boolean;
  readonly fits: boolean | null;
}

export interface Catalog {
  readonly models: readonly CatalogModel[];
  readonly freeBytes: number;
}

/** One message of the event stream. */
export interface StreamMessage {
  readonly id: number | null;
  readonly event: string;
  readonly data: unknown;
}

export type FileProgress = Extract<LuciEventBody, { readonly type: "file.progress" }>;
export type Notice = Extract<LuciEventBody, { readonly type: "notice" }>;
