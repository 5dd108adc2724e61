// `luci serve --print-unit`: these very flags and settings of the environment, as a service's definition. No secrets.

import { resolve } from "node:path";
import type { ServiceManager } from "../control/service-unit.ts";
import type { Settings } from "../domain/settings.ts";
import { type Front, type Input, type Outcome, succeeded } from "./command.ts";
import { SETTING_FLAGS } from "./flags.ts";

/** What a service is started with again. */
const UNIT_FLAGS = ["host", "port", "allow-host", "token-file", ...SETTING_FLAGS] as const;
/** Variables that say where something is: a service starts in another folder, so they are written whole. */
const PLACES = {
  LUCI_HOME: ({ homeFolder }) => homeFolder,
  LUCI_MODELS: ({ modelsFolder }) => modelsFolder,
  LUCI_CATALOG: ({ catalogFiles }) => catalogFiles[0],
  LUCI_CA_FILE: ({ caFile }) => caFile,
  HF_HOME: (_settings, typed) => resolve(typed),
  HF_TOKEN_PATH: (_settings, typed) => resolve(typed),
} as const satisfies Readonly<
  Record<string, (settings: Settings, typed: string) => string | null | undefined>
>;
/** Variables that mean the same everywhere. */
const WORDS = [
  "HF_ENDPOINT",
  "LUCI_PARTIALS",
  "LUCI_LIMIT_RATE",
  "LUCI_STALL_SECONDS",
  "LUCI_DISK_WAIT",
  "LUCI_HISTORY",
] as const;

/** The definition, printed. @throws LuciError E_USAGE, E_CONFIG for settings that the service would refuse */
export async function printUnit(
  manager: ServiceManager,
  { input, front }: { input: Input; front: Front },
): Promise<Outcome> {
  const [{ serviceUnit }, { settings }] = await Promise.all([
    import("../control/service-unit.ts"),
    front.context(),
  ]);
  const paths = new Map<string, string | null>([
    ["dir", settings.modelsFolder],
    ["ca-file", settings.caFile],
  ]);
  const flags = UNIT_FLAGS.flatMap((flag) => {
    const value = input.text(flag);
    if (value === null) return [];
    return [`--${flag}`, paths.get(flag) ?? (flag === "token-file" ? resolve(value) : value)];
  });
  const words = [...front.executable, "serve", ...flags, ...(input.on("preempt") ? ["--preempt"] : [])];
  if (process.env["HF_TOKEN"])
    front.emit({
      type: "notice",
      level: "warn",
      message:
        "HF_TOKEN is a secret and not part of this: put it into ~/.cache/huggingface/token for the service",
    });
  const text = serviceUnit(manager, { words, environment: environmentOf(settings) });
  return succeeded({ command: "serve", text, url: null, openDownloads: 0 });
}

/** What of the environment the service needs again. */
function environmentOf(settings: Settings): Map<string, string> {
  const environment = new Map<string, string>();
  for (const [name, placeOf] of Object.entries(PLACES)) {
    const typed = process.env[name];
    const place = typed ? placeOf(settings, typed) : null;
    if (place) environment.set(name, place);
  }
  for (const name of WORDS) {
    const typed = process.env[name];
    if (typed) environment.set(name, typed);
  }
  return environment;
}
