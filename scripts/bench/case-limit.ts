// Case i: how well --limit-rate is kept over ten seconds, seen from the wire.

import { luciJob } from "./commands.ts";
import { MIB } from "./data.ts";
import type { BenchCase, Lab } from "./lab.ts";
import { linkDigest, startLink } from "./link.ts";
import type { Job } from "./measure.ts";
import { shuffle } from "./random.ts";
import type { Goal, Section } from "./report.ts";
import { bytesAt, follow, rateBetween, SAMPLE_MS } from "./wire.ts";

/** From the first byte to the window's start. */
const LEAD_MS = 1_000;
/** From the window's end to the end of the whole run. */
const TAIL_MS = 1_500;
const TIMEOUT_MS = 90_000;
/** Pieces so small that counting whole ones is exact enough. */
const PIECES_PER_SEC = 64;
/** Larger than all that sockets and programs hold, so that the wire has to obey. */
const SMALLEST_BYTES = 64 * MIB;
const LUCI = "luci install --limit-rate";

/** 64 kB/s, 1 MB/s and 50 MB/s. */
export const rateLimit: BenchCase = { id: "i", sets: () => [], run: runRateLimit };

interface Limited {
  readonly name: string;
  job(options: { url: string; sha256: string; folder: string }): Job;
}

interface Found {
  readonly name: string;
  readonly rate: number;
  /** Bytes per second, from the wire. */
  readonly wire: number | null;
  /** Of any second after the first. */
  readonly peak: number;
  /** Bytes of the first second. */
  readonly leadBytes: number;
  /** Bytes per second of a whole run, by its size and its wall time. */
  readonly whole: number | null;
}

async function runRateLimit(lab: Lab): Promise<Section> {
  const { quick } = lab.options;
  const rates = quick ? [1_000_000] : [64_000, 1_000_000, 50_000_000];
  const windowMs = quick ? 4_000 : 10_000;
  const found: Found[] = [];
  for (const rate of rates) {
    for (const limited of shuffle(commands(lab, rate), lab.random)) {
      const wire = await watchWire(lab, { limited, rate, windowMs });
      const whole = await wholeRun(lab, { limited, rate, windowMs });
      found.push({ name: limited.name, rate, ...wire, whole });
      lab.say(`  ${limited.name}: ${((wire.wire ?? 0) / 1000).toFixed(1)} kB/s`);
    }
  }
  return section(found, windowMs);
}

function commands(lab: Lab, rate: number): Limited[] {
  const { options, nginx, tools } = lab;
  const limit = String(rate);
  const show = `${rate / 1000}k`;
  const luci: Limited = {
    name: `${LUCI} ${show}`,
    job: ({ url, sha256, folder }) => {
      const words = ["install", `${url}#sha256=${sha256}`, "--quiet", "--limit-rate", limit];
      return luciJob({ luci: options.luci, hubUrl: nginx.hubUrl }, { folder, words });
    },
  };
  if (options.quick) return [luci];
  const curl = tools.path("curl");
  const aria = tools.path("aria2c");
  const flag = "--max-overall-download-limit";
  const peer = (name: string, words: readonly string[]): Limited => ({
    name,
    job: ({ url, folder }) => ({ words: [...words, url], folder }),
  });
  return [
    luci,
    ...(curl ? [peer(`curl --limit-rate ${show}`, [curl, "-fsS", "-O", "--limit-rate", limit])] : []),
    ...(aria ? [peer(`aria2c ${flag}=${show}`, [aria, "--no-conf", "-q", `${flag}=${limit}`])] : []),
  ];
}

interface LimitedRun {
  readonly limited: Limited;
  readonly rate: number;
  readonly windowMs: number;
}

/** Ended when the window is over. */
async function watchWire(lab: Lab, { limited, rate, windowMs }: LimitedRun) {
  const totalMs = LEAD_MS + windowMs;
  const sizeBytes = Math.max(SMALLEST_BYTES, Math.round((rate * (totalMs + TAIL_MS)) / 1000));
  const sha256 = await linkDigest(sizeBytes);
  const link = await startLink({
    sizeBytes,
    rateBytesPerSec: null,
    pieceBytes: Math.ceil(rate / PIECES_PER_SEC),
  });
  const folder = await lab.bench.folder();
  const follower = follow(link);
  try {
    const running = lab.bench.start(limited.job({ url: link.url, sha256, folder }));
    // A command that never asks for a byte must not hold up the rest.
    const timer = setTimeout(() => running.kill(), TIMEOUT_MS);
    await Promise.race([follower.lasts(totalMs + 2 * SAMPLE_MS), running.exited]);
    clearTimeout(timer);
    running.kill();
    await running.exited;
    const { samples } = follower;
    const startMs = (samples[0]?.atMs ?? 0) + LEAD_MS;
    const seconds = samples
      .filter(({ atMs }) => atMs >= startMs)
      .map(({ atMs }) => rateBetween(samples, { startMs: atMs, windowMs: 1000 }) ?? 0);
    return {
      wire: rateBetween(samples, { startMs, windowMs }),
      peak: Math.max(0, ...seconds),
      leadBytes: bytesAt(samples, startMs) ?? 0,
    };
  } finally {
    follower.stop();
    await link.stop();
    await lab.bench.drop(folder);
  }
}

/** A file that the rate lets through in the window, to its end. */
async function wholeRun(lab: Lab, { limited, rate, windowMs }: LimitedRun): Promise<number | null> {
  const sizeBytes = Math.round((rate * windowMs) / 1000);
  const sha256 = await linkDigest(sizeBytes);
  const link = await startLink({ sizeBytes, rateBytesPerSec: null });
  const folder = await lab.bench.folder();
  try {
    const job = limited.job({ url: link.url, sha256, folder });
    const { problem, wallMs } = await lab.bench.measure(job, { timeoutMs: TIMEOUT_MS });
    return problem === null ? (sizeBytes * 1000) / wallMs : null;
  } finally {
    await link.stop();
    await lab.bench.drop(folder);
  }
}

function section(found: readonly Found[], windowMs: number): Section {
  const kilo = (value: number | null) => (value === null ? "–" : (value / 1000).toFixed(1));
  const deviation = (value: number | null, rate: number) =>
    value === null ? null : Math.abs(value / rate - 1) * 100;
  const seconds = windowMs / 1000;
  const rows = found.map(({ name, rate, wire, peak, leadBytes, whole }) => [
    name,
    kilo(wire),
    deviation(wire, rate)?.toFixed(2) ?? "–",
    kilo(peak),
    kilo(leadBytes),
    kilo(whole),
  ]);
  const head = ["command", `wire kB/s, ${seconds} s`, "off by %", "busiest second kB", "first second kB"];
  return {
    title: `A limited rate over ${seconds} s`,
    intro: [
      `The wire's rate is what the command read from its sockets (sent, less what waits in the kernel) in ${seconds} s, ` +
        `beginning ${LEAD_MS / 1000} s after the first byte. The last column is a whole download of ${seconds} s worth of bytes, ` +
        "size by wall time, with start and verification in it.",
    ],
    tables: [{ head: [...head, "whole run kB/s"], rows }],
    goals: found
      .filter(({ name }) => name.startsWith(LUCI))
      .flatMap(({ rate, wire, whole }) => [
        goalOf(`deviation on the wire at ${rate / 1000} kB/s`, deviation(wire, rate)),
        goalOf(`deviation of a whole run at ${rate / 1000} kB/s`, deviation(whole, rate)),
      ]),
  };
}

function goalOf(what: string, reached: number | null): Goal {
  return { what, limit: 3, bound: "at most", reached, unit: " %" };
}
