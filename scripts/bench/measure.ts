// Runs one command and measures it: wall time, CPU time of the whole process tree, peak resident memory.
// Commands see an empty home and nothing of this shell's environment, so that no proxy or configuration takes part.

import { mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

export interface Job {
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Working folder. */
  readonly folder: string;
}

export interface Measured {
  /** When it was started, on `performance.now()`'s clock. */
  readonly startedMs: number;
  readonly wallMs: number;
  /** User and system time of the command and all its children. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** Why it does not count; null when the command ended well. */
  readonly problem: string | null;
  /** What it printed on stdout. */
  readonly stdout: string;
}

/** A command that is still running. */
export interface Running {
  readonly pid: number;
  readonly exited: Promise<number>;
  /** SIGKILL to the command and its children. */
  kill(): void;
}

export interface Bench {
  /** A new empty folder; removed by `drop`. */
  folder(): Promise<string>;
  drop(folder: string): Promise<void>;
  measure(job: Job, options: { timeoutMs: number }): Promise<Measured>;
  /** Starts a command without measuring it. */
  start(job: Job): Running;
  /** Kills what still runs. */
  stop(): void;
}

const TAIL_CHARS = 300;

interface BenchOptions {
  readonly workFolder: string;
  /** GNU time. */
  readonly time: string;
  /** PATH of the commands. */
  readonly path: string;
}

interface Output {
  readonly stdout: number | "ignore";
  readonly stderr: number | "ignore";
}

type Start = (job: Job, output: Output) => Started;

interface Started {
  readonly child: Bun.Subprocess<"ignore", number | "ignore", number | "ignore">;
  readonly running: Running;
  readonly startedMs: number;
}

/** A bench that works in `workFolder`. */
export function createBench(options: BenchOptions): Bench {
  const { workFolder, path } = options;
  const live = new Set<Running>();
  const start: Start = (job, output) => {
    const startedMs = performance.now();
    const child = Bun.spawn([...job.words], {
      cwd: job.folder,
      env: { PATH: path, HOME: join(workFolder, "home"), LANG: "C.UTF-8", NO_COLOR: "1", ...job.env },
      stdio: ["ignore", output.stdout, output.stderr],
      // A group of its own, to be killed as one.
      detached: true,
    });
    const running: Running = { pid: child.pid, exited: child.exited, kill: () => killGroup(child.pid) };
    live.add(running);
    const forget = () => void live.delete(running);
    void child.exited.then(forget, forget);
    return { child, running, startedMs };
  };
  return {
    folder: async () => {
      await mkdir(join(workFolder, "home"), { recursive: true });
      return mkdtemp(join(workFolder, "run-"));
    },
    drop: (folder) => rm(folder, { recursive: true, force: true }),
    start: (job) => start(job, { stdout: "ignore", stderr: "ignore" }).running,
    stop: () => live.forEach((running) => running.kill()),
    measure: (job, { timeoutMs }) => measure(job, { ...options, start, timeoutMs }),
  };
}

async function measure(
  job: Job,
  { workFolder, time, start, timeoutMs }: BenchOptions & { start: Start; timeoutMs: number },
): Promise<Measured> {
  const side = await mkdtemp(join(workFolder, "log-"));
  const read = (name: string) => readFile(join(side, name), "utf8").catch(() => "");
  const stdout = await open(join(side, "stdout"), "w");
  const stderr = await open(join(side, "stderr"), "w");
  try {
    // Memory by GNU time: a process forked from this big one would be said to have had its size.
    const words = [time, "-q", "-o", join(side, "rss"), "-f", "%M", ...job.words];
    const { child, running, startedMs } = start({ ...job, words }, { stdout: stdout.fd, stderr: stderr.fd });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      running.kill();
    }, timeoutMs);
    const exit = await child.exited;
    const wallMs = performance.now() - startedMs;
    clearTimeout(timer);
    const problem = timedOut ? `timeout after ${timeoutMs / 1000} s` : problemOf(exit, await read("stderr"));
    return {
      startedMs,
      wallMs,
      cpuMs: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000,
      rssBytes: Number((await read("rss")).trim().split("\n").at(-1)) * 1024,
      problem,
      stdout: await read("stdout"),
    };
  } finally {
    await stdout.close();
    await stderr.close();
    await rm(side, { recursive: true, force: true });
  }
}

function problemOf(exit: number, said: string): string | null {
  if (exit === 0) return null;
  return `exit ${exit}${said.trim() === "" ? "" : `: ${said.trim().slice(-TAIL_CHARS).replace(/\s+/g, " ")}`}`;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // It may have ended by itself meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
