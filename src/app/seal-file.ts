// Sealing one fetched file: at its place, or beside it where another model took that place while it was fetched.

import { LuciError } from "../domain/errors.ts";
import type { ManifestFile } from "../store/manifest.ts";
import { isSmall } from "../domain/plan.ts";
import type { StorePartial } from "../store/partial.ts";
import { sealPartial } from "../store/seal.ts";
import type { CarryOptions, CarryRun } from "./carry-run.ts";
import type { FileNeed } from "./need.ts";

/** Gives a whole partial its final name. @throws LuciError as `sealPartial`; E_DAMAGED only where it has no other place */
export async function sealFile(
  run: CarryRun,
  need: FileNeed,
  options: CarryOptions & { partial: StorePartial },
): Promise<ManifestFile> {
  const { partial, aside, model, signal } = options;
  const { store, emit } = run.context;
  const common = { allowUnsafe: run.allowUnsafe, syncName: !isSmall(need.placement.file), signal };
  try {
    const replace = run.force || need.owned;
    return await sealPartial(store, partial, { ...common, placement: need.placement, replace });
  } catch (error) {
    if (!isPlaceTaken(error) || aside === null) throw error;
    const message = `${need.placement.path} was taken meanwhile by another file: this one is ${aside.path}`;
    emit({ type: "notice", level: "info", model, message });
    return sealPartial(store, partial, { ...common, placement: aside, replace: false });
  }
}

/** Whether something else stands at the final name. */
export function isPlaceTaken(error: unknown): boolean {
  return error instanceof LuciError && error.code === "E_DAMAGED";
}
