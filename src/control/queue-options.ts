// What a daemon's queue works with.

import type { Context } from "../app/context.ts";
import type { Steering } from "../app/steering.ts";
import type { LuciEvent, LuciEventBody } from "../domain/events.ts";
import type { PartialsPolicy } from "../domain/settings.ts";
import type { DownloadRows } from "./download-rows.ts";
import type { RunScene } from "./download-run.ts";
import type { RoomLedger } from "./room-ledger.ts";

export interface DownloadQueueOptions {
  readonly rows: DownloadRows;
  readonly steering: Steering;
  /** What a cancel does with unfinished files where nobody said it. */
  readonly partials: PartialsPolicy;
  readonly pid: number;
  /** Where room on the disk is shared with others of this process. */
  readonly ledger: RoomLedger;
  nowMs(): number;
  contextFor(run: RunScene): Context;
  /** Numbers an event and tells everybody. */
  publish(body: LuciEventBody): LuciEvent;
}
