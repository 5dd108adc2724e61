// Are luci's own files in order: settings, catalogs, records?

import { join } from "node:path";
import { formatBytes } from "../domain/size.ts";
import type { DoctorCheck } from "../domain/doctor.ts";
import { readRecords } from "../store/manifest.ts";
import { checkOwnFolders } from "../store/own-folders.ts";
import { examine, fine, problem } from "./checks.ts";
import type { Context } from "./context.ts";

/** Settings that could be read are right: they were checked when the context was made. */
export async function examineSettings(context: Context): Promise<DoctorCheck[]> {
  const { settings, files } = context;
  const config = join(settings.homeFolder, "config.toml");
  return [
    await examine("settings", async () =>
      fine(
        "settings",
        (await files.facts(config)) ? `${config} is in order` : `none of your own (${config})`,
      ),
    ),
    await examine("catalogs", async () => {
      const models = (await context.catalog()).names().length;
      const own = settings.catalogFiles.length;
      const sources = own === 0 ? "built in" : `built in, and ${own} of your own`;
      return fine("catalogs", `${models} models known (${sources})`);
    }),
    await examine("records", () => examineRecords(context)),
  ];
}

async function examineRecords({ store }: Context): Promise<DoctorCheck> {
  await checkOwnFolders(store);
  const { manifests, unreadable } = await readRecords(store);
  const [first] = unreadable;
  if (first !== undefined) {
    const more = unreadable.length > 1 ? `, and ${unreadable.length - 1} more` : "";
    return problem("records", "E_DAMAGED", {
      finding: `${first.path} cannot be read (${first.reason})${more}: until then nothing is deleted`,
      advice: "Move it away and install its model again: what is there is not fetched twice",
    });
  }
  if (manifests.length === 0) return fine("records", "no model installed yet");
  const sizes = manifests.flatMap((manifest) => manifest.files.map((file) => file.sizeBytes));
  const total = formatBytes(sizes.reduce((sum, size) => sum + size, 0));
  return fine("records", `${manifests.length} installed, ${total}; all records can be read`);
}
