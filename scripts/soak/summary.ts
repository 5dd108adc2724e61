// What a soak comes to, in words.

import { type KillTally, brokenPromises } from "../../test/support/kill-tally.ts";
import type { PauseTally } from "../../test/support/pause-watch.ts";
import type { PowerTally } from "../../test/support/power-loop.ts";

const MIB = 1024 * 1024;

export interface Outcome {
  readonly killed: KillTally;
  readonly raced: KillTally;
  readonly powered: PowerTally | null;
  readonly paused: PauseTally | null;
  readonly rounds: number;
  readonly seconds: number;
  readonly repeat: string;
}

/** Every promise that broke, as sentences. */
export function brokenOf({ killed, raced, powered, paused }: Outcome): string[] {
  const cut = powered ? [...powered.wrong, ...powered.broken, ...powered.stuck] : [];
  return [
    ...brokenPromises(killed),
    ...brokenPromises(raced),
    ...cut.map((text) => `power cut: ${text}`),
    ...(paused?.requests ?? []).map((request) => `asked for while paused: ${request}`),
    ...(paused && paused.bytes > 0 ? [`${paused.bytes} bytes while paused`] : []),
    ...(paused?.stuck ?? []),
  ];
}

/** The lines that end a soak. */
export function renderSummary(outcome: Outcome): string {
  const { killed, raced, powered, paused, rounds, seconds, repeat } = outcome;
  const broken = brokenOf(outcome);
  const kinds = [...killed.kinds].map(([name, kills]) => `  ${String(kills).padStart(6)}  ${name}`);
  const lines = [
    `kills                    ${killed.kills} of single runs, ${raced.kills} in ${rounds} races of eight processes`,
    ...kinds,
    ...(powered ? [`power cuts               ${powered.cuts}`] : []),
    ...(paused
      ? [
          `paused                   ${paused.seconds} s, ${paused.requests.length} requests, ${paused.bytes} bytes`,
        ]
      : []),
    `wrong files or records   ${killed.wrong.length + raced.wrong.length + (powered?.wrong.length ?? 0)}`,
    `acknowledged but lost    ${killed.lost.length + raced.lost.length + (powered?.broken.length ?? 0)}`,
    `not recovered            ${killed.stuck.length + raced.stuck.length + (powered?.stuck.length ?? 0)}`,
    ...costLines(killed),
    `time                     ${Math.round(seconds)} s`,
    `repeat                   ${repeat}`,
    ...broken.map((text) => `BROKEN  ${text}`),
    broken.length === 0 ? "every promise held" : `${broken.length} promises broken`,
  ];
  return lines.join("\n");
}

function costLines({ costs }: KillTally): string[] {
  if (costs.length === 0) return [];
  const sum = costs.reduce((total, { refetchedBytes }) => total + refetchedBytes, 0);
  const worst = costs.reduce((one, other) => (other.refetchedBytes > one.refetchedBytes ? other : one));
  return [
    `refetched per kill       mean ${mib(sum / costs.length)}, most ${mib(worst.refetchedBytes)} (${worst.scene}; at most ${mib(worst.boundBytes)})`,
  ];
}

function mib(sizeBytes: number): string {
  return `${(sizeBytes / MIB).toFixed(1)} MiB`;
}
