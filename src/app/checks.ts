// What an examination of this machine is made of: checks that end in words, whatever happens in them.

import { LuciError, type ErrorCode } from "../domain/errors.ts";
import type { DoctorCheck } from "../domain/doctor.ts";

/** All is well. */
export function fine(name: string, finding: string): DoctorCheck {
  return { name, state: "ok", finding, advice: null, code: null };
}

/** It works, and could be better. */
export function warning(name: string, finding: string, advice: string): DoctorCheck {
  return { name, state: "warning", finding, advice, code: null };
}

/** Something that luci promises does not hold here. */
export function problem(
  name: string,
  code: ErrorCode,
  told: { finding: string; advice: string },
): DoctorCheck {
  return { name, state: "problem", ...told, code };
}

/** What went wrong, as a problem. @throws what is no LuciError: that is a bug */
export function problemOf(name: string, thrown: unknown): DoctorCheck {
  if (!(thrown instanceof LuciError)) throw thrown;
  return problem(name, thrown.code, { finding: thrown.message, advice: thrown.hint });
}

/** Runs a check; a LuciError in it is a problem found. @throws the signal's reason, and bugs */
export async function examine(
  name: string,
  check: () => DoctorCheck | Promise<DoctorCheck>,
): Promise<DoctorCheck> {
  try {
    return await check();
  } catch (thrown) {
    if (thrown instanceof LuciError && thrown.code === "E_INTERRUPTED") throw thrown;
    return problemOf(name, thrown);
  }
}
