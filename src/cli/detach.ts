// `luci install --detach`: the same words, handed to the daemon instead of being done here.

import { findPeers, type Peer } from "../control/client.ts";
import { LuciError } from "../domain/errors.ts";
import type { Job } from "../domain/job.ts";
import { type Front, type Input, type Outcome, succeeded } from "./command.ts";

/** What a daemon was told when it was started, or cannot do. */
const NOT_HANDED_ON = ["dir", "jobs", "connections", "retries", "hasher", "on-ready"] as const;
const NOT_HANDED_ON_SWITCHES = ["force", "dry-run"] as const;

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
  const options = {
    partials: input.text("partials"),
    allowUnsafe: input.on("allow-unsafe"),
    limitRate: input.text("limit-rate"),
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
  const given = [
    ...NOT_HANDED_ON.filter((flag) => input.text(flag) !== null),
    ...NOT_HANDED_ON_SWITCHES.filter((flag) => input.on(flag)),
    ...(input.on("resume") ? [] : ["no-resume"]),
    ...(input.on("wait") ? [] : ["no-wait"]),
  ];
  if (given.length === 0) return;
  const flags = given.map((flag) => `\`--${flag}\``).join(", ");
  throw new LuciError("E_USAGE", `${flags} cannot be handed to a daemon with --detach`, {
    hint: "`luci serve` takes the flags of everything together; leave --detach out for the others",
  });
}
