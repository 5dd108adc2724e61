// `luci install --detach`: the same words, handed to the daemon instead of being done here.

import { findPeers, type Peer } from "../control/client.ts";
import { LuciError } from "../domain/errors.ts";
import type { Job } from "../domain/job.ts";
import { parseRate } from "../domain/size.ts";
import { type Front, type Input, type Outcome, succeeded } from "./command.ts";

/** What holds for a daemon as a whole, and is said when it is started. */
const FLAGS_OF_SERVE = [
  "dir",
  "jobs",
  "connections",
  "retries",
  "hasher",
  "on-ready",
  "disk-wait",
  "ca-file",
] as const;
/** What a daemon cannot do for one download. */
const SWITCHES_OF_INSTALL = ["force", "dry-run"] as const;

/** What is asked for besides the flags that are only handed on. */
export interface DetachWish {
  readonly sha256: string | null;
  readonly priority: number | null;
}

/**
 * Hands an install's words to the daemon of this home.
 * @throws LuciError E_NOT_FOUND when none runs, E_USAGE for a flag that is not its business
 */
export async function detach(input: Input, front: Front, wish: DetachWish): Promise<Outcome> {
  refuseFlags(input);
  const { settings, files, signal } = await front.context();
  const onSilent = (message: string): void => front.emit({ type: "notice", level: "warn", message });
  const peers = await findPeers({ homeFolder: settings.homeFolder, files, signal, onSilent });
  const daemon = peers.find(({ isServe }) => isServe);
  if (!daemon)
    throw new LuciError("E_NOT_FOUND", "No `luci serve` is running that could take it", {
      hint: "Start one (`luci serve`), or leave --detach out to install here",
    });
  const downloads = await ask(daemon, input, wish);
  return succeeded({ command: "detach", downloads, pid: daemon.pid });
}

async function ask(daemon: Peer, input: Input, { sha256, priority }: DetachWish): Promise<Job[]> {
  const limitRate = input.text("limit-rate");
  const options = {
    partials: input.text("partials"),
    allowUnsafe: input.on("allow-unsafe"),
    ...(limitRate === null ? {} : { limitRate: parseRate(limitRate) }),
    ...(priority === null ? {} : { priority }),
  };
  if (sha256 !== null) {
    const body = { ...options, ref: input.words[0], sha256 };
    return [(await daemon.ask({ method: "POST", path: "/v1/downloads", body })) as Job];
  }
  const body = { ...options, refs: input.words };
  const answer = await daemon.ask({ method: "POST", path: "/v1/downloads/batch", body });
  return (answer as { downloads: Job[] }).downloads;
}

function refuseFlags(input: Input): void {
  const ofServe = FLAGS_OF_SERVE.filter((flag) => input.text(flag) !== null);
  const ofInstall = [
    ...SWITCHES_OF_INSTALL.filter((flag) => input.on(flag)),
    ...(input.on("resume") ? [] : ["no-resume"]),
    ...(input.on("wait") ? [] : ["no-wait"]),
  ];
  if (ofServe.length + ofInstall.length === 0) return;
  const hints = [
    ...(ofServe.length > 0 ? [`Say ${listed(ofServe)} where \`luci serve\` is started`] : []),
    ...(ofInstall.length > 0 ? [`leave --detach out for ${listed(ofInstall)}`] : []),
  ];
  const message = `${listed([...ofServe, ...ofInstall])} cannot be handed to \`luci serve\` with --detach`;
  throw new LuciError("E_USAGE", message, { hint: capitalized(hints.join("; ")) });
}

function listed(flags: readonly string[]): string {
  return flags.map((flag) => `\`--${flag}\``).join(", ");
}

function capitalized(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
