// The examination behind `luci doctor`: does this machine give what luci's promises need? Changes nothing that
// is there, and leaves nothing behind.

import type { LuciError } from "../domain/errors.ts";
import type { DoctorCheck, DoctorResult } from "../domain/doctor.ts";
import { type Environment } from "../platform/http-environment.ts";
import { problemOf } from "./checks.ts";
import type { Context } from "./context.ts";
import { examineDisk } from "./doctor-disk.ts";
import { examineMachine } from "./doctor-machine.ts";
import { type TokenFound, examineHub, examineSurroundings } from "./doctor-network.ts";
import { examineSettings } from "./doctor-settings.ts";

export interface DoctorOptions {
  /** Null where the settings cannot be read: what does not need them is examined all the same. */
  readonly context: Context | null;
  /** Why there is no context. */
  readonly refusal: LuciError | null;
  readonly environment: Environment;
  /** Whether the hub is left alone. */
  readonly offline: boolean;
  readonly signal: AbortSignal;
  /** Looks for the hub's token. @throws LuciError E_CONFIG */
  findToken(): Promise<TokenFound>;
}

/** Checks whose problems let luci fetch nothing at all. */
const BLOCKING = ["proxy", "certificates"];

/** Examines everything, one after the other. @throws the signal's reason */
export async function doctor(options: DoctorOptions): Promise<DoctorResult> {
  const { context, refusal, environment, signal } = options;
  const startMs = performance.now();
  const checks: DoctorCheck[] = [];
  const parts: (() => Promise<DoctorCheck[]>)[] = [
    async () => (context ? examineSettings(context) : refusal ? [problemOf("settings", refusal)] : []),
    async () => (context ? examineDisk(context) : []),
    () => examineMachine(),
    () => examineSurroundings(environment, context?.settings.caFile ?? null),
    async () => {
      const blockedBy =
        checks.find(({ name, state }) => state === "problem" && BLOCKING.includes(name)) ?? null;
      return context ? examineHub(context, { ...options, blockedBy }) : [];
    },
  ];
  for (const part of parts) {
    signal.throwIfAborted();
    checks.push(...(await part()));
  }
  return { command: "doctor", checks, elapsedMs: performance.now() - startMs };
}
