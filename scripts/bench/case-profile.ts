// Case k: where the CPU time of one download goes, by the threads of the process.

import { readdir, readFile } from "node:fs/promises";
import { luciByUrl } from "./commands.ts";
import { oneFile } from "./data.ts";
import { type BenchCase, type Lab, loadOf } from "./lab.ts";
import type { Section } from "./report.ts";

const LOOK_MS = 10;
/** Linux counts CPU time in these, whatever the kernel's own tick is (proc(5), sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SEC = 100;

/** What each kind of thread is there for. */
const ROLES: readonly (readonly [RegExp, string])[] = [
  [/^HTTP Client/, "reading sockets"],
  [/^Bun Pool/, "writing and syncing the file"],
  [/^Worker/, "reading back, SHA-256 and fingerprints"],
  [/^(?:JITWorker|Heap|.*Collector|mi-|.*Thread)/, "compiler, collector, memory"],
  [/./, "main thread: JavaScript, copies of chunks"],
];

interface ThreadTime {
  readonly userMs: number;
  readonly systemMs: number;
}

/** 1 GiB, unthrottled. */
export const profile: BenchCase = {
  id: "k",
  sets: (quick) => [oneFile(quick ? 256 : 1024)],
  run: runProfile,
};

async function runProfile(lab: Lab): Promise<Section> {
  const mib = lab.options.quick ? 256 : 1024;
  const load = await loadOf(lab, { set: oneFile(mib), speed: "unthrottled" });
  const folder = await lab.bench.folder();
  try {
    const running = lab.bench.start(luciByUrl(load).job(folder));
    const threads = await watchThreads(running.pid, running.exited);
    return {
      title: `Where the CPU time of ${mib} MiB goes`,
      intro: [
        `Read from /proc/PID/task every ${LOOK_MS} ms while luci runs unthrottled; what happens after the last look is missing.`,
      ],
      tables: [tableOf(threads)],
      goals: [],
    };
  } finally {
    await lab.bench.drop(folder);
  }
}

function tableOf(threads: ReadonlyMap<string, ThreadTime>): Section["tables"][number] {
  const sums = new Map<string, ThreadTime>();
  for (const [key, { userMs, systemMs }] of threads) {
    const name = key.slice(key.indexOf(" ") + 1);
    const role = ROLES.find(([pattern]) => pattern.test(name))?.[1] ?? name;
    const before = sums.get(role) ?? { userMs: 0, systemMs: 0 };
    sums.set(role, { userMs: before.userMs + userMs, systemMs: before.systemMs + systemMs });
  }
  const whole = [...sums.values()].reduce((sum, { userMs, systemMs }) => sum + userMs + systemMs, 0);
  const rows = [...sums]
    .toSorted(([, a], [, b]) => b.userMs + b.systemMs - a.userMs - a.systemMs)
    .map(([role, { userMs, systemMs }]) => [
      role,
      (userMs / 1000).toFixed(2),
      (systemMs / 1000).toFixed(2),
      `${(((userMs + systemMs) * 100) / Math.max(1, whole)).toFixed(0)} %`,
    ]);
  return { head: ["threads", "user s", "system s", "share"], rows, remarks: [] };
}

/** The last times seen of every thread, by "TID NAME". */
async function watchThreads(pid: number, exited: Promise<number>): Promise<Map<string, ThreadTime>> {
  const threads = new Map<string, ThreadTime>();
  let ended = false;
  const end = exited.then(() => (ended = true));
  while (!ended) {
    await look(pid, threads);
    await Promise.race([Bun.sleep(LOOK_MS), end]);
  }
  return threads;
}

async function look(pid: number, threads: Map<string, ThreadTime>): Promise<void> {
  const folder = `/proc/${pid}/task`;
  for (const tid of await readdir(folder).catch(() => [])) {
    // "TID (name) state …": the name may hold anything, its closing bracket is the last (proc(5)).
    const stat = await readFile(`${folder}/${tid}/stat`, "utf8").catch(() => "");
    const close = stat.lastIndexOf(")");
    if (close < 0) continue;
    const fields = stat.slice(close + 2).split(" ");
    const toMs = (field: number): number => (Number(fields[field]) * 1000) / TICKS_PER_SEC;
    const name = stat.slice(stat.indexOf("(") + 1, close);
    threads.set(`${tid} ${name}`, { userMs: toMs(11), systemMs: toMs(12) });
  }
}
