// Stations four and five for one file: is it here already? If not, fetch it and seal it.

import { toLuciError } from "../domain/errors.ts";
import { CarryError, type CarryOptions, type CarryRun, type Carried, reuseFile } from "./carry-run.ts";
import { fetchFile } from "./fetch.ts";
import type { FileNeed } from "./need.ts";
import { proveFile } from "./prove.ts";

/** Brings one file into place. @throws CarryError */
export async function carryFile(run: CarryRun, need: FileNeed, options: CarryOptions): Promise<Carried> {
  try {
    if (need.state === "present" && need.record)
      return reuseFile(run, need, { record: need.record, model: options.model });
    const proof =
      need.state === "unproved" ? await proveFile(run, need, options) : { sound: null, damage: need.damage };
    if (proof.sound) return reuseFile(run, need, { record: proof.sound, model: options.model });
    return await fetchFile(run, need, { ...options, damage: proof.damage });
  } catch (error) {
    if (error instanceof CarryError) throw error;
    throw new CarryError(toLuciError(error), { keptBytes: 0, deleted: null, undeleted: null });
  }
}
