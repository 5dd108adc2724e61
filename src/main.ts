// The front door: argv → request → command → result, with the face that tells of it, the signals that end
// it, and the only process.exit. What is loaded is what the request needs.

import type { Context } from "./app/context.ts";
import type { Command, Front, Input } from "./cli/command.ts";
import type { Desk } from "./control/desk.ts";
import { LuciError, isEcho, reportError, toLuciError } from "./domain/errors.ts";
import type { Emit } from "./domain/events.ts";
import { redactText } from "./domain/redact.ts";
import type { PartialsPolicy } from "./domain/settings.ts";
import { afterTurns } from "./platform/clock.ts";
import { onStopSignal, SIGNAL_EXITS, type StopSignal } from "./platform/signals.ts";
import type { Face } from "./ui/face-types.ts";

/** How long an interrupted run may take to put its partials in order. */
const WIND_DOWN_MS: Readonly<Record<PartialsPolicy, number>> = { resume: 900, delete: 10_000 };
/** How long a service may take to put everything in order. */
const SERVICE_WIND_DOWN_MS = 5_000;
/** Where a compiled program finds itself: inside its own executable. */
const EMBEDDED = /^(?:\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/;

/** One run of luci, from its first word to its last. */
interface Run {
  readonly argv: readonly string[];
  readonly controller: AbortController;
  /** Null until somebody has something to say. */
  face: Face | null;
  /** Where others can steer this run; null for a command that runs no jobs. */
  desk: Desk | null;
  /** What the command was given; null until it is understood. */
  input: Input | null;
  partials: PartialsPolicy;
  /** Waits for a disk that is slow to put unfinished files at rest; null for a run that has none. */
  rest: (() => Promise<boolean>) | null;
  /** It runs until it is told to stop: that is a success. */
  isService: boolean;
  /** Set by the first failure: later ones are its echoes. */
  failed: boolean;
  /** The command is done; what is left is telling of it. */
  ended: boolean;
}

async function main(argv: readonly string[]): Promise<void> {
  // Bun would print every request with its Authorization header. It hears an assignment, not a deletion.
  process.env["BUN_CONFIG_VERBOSE_FETCH"] = "0";
  const controller = new AbortController();
  const run: Run = {
    argv,
    controller,
    face: null,
    desk: null,
    input: null,
    partials: "resume",
    rest: null,
    isService: false,
    failed: false,
    ended: false,
  };
  // Asked by scripts, again and again: nothing else is loaded, and nobody need be told to stop.
  const asksVersion = argv.length === 1 && (argv[0] === "--version" || argv[0] === "-V");
  if (!asksVersion) watch(run);
  try {
    if (asksVersion) await printPage((await import("./cli/version.ts")).versionLine());
    else await answer(run);
  } catch (thrown) {
    await fail(run, thrown);
  }
  await close(run);
}

async function answer(run: Run): Promise<void> {
  const { readRequest } = await import("./cli/request.ts");
  const request = await readRequest(run.argv);
  if (request.kind === "page") return printPage(request.text);
  const { command, input } = request;
  run.input = input;
  run.isService = command.isService === true;
  const { VERSION: version } = await import("./cli/version.ts");
  const face = await faceOf(run);
  const emit = numberedEmit(face, run);
  emit({ type: "run.started", command: command.name, version });
  const { result, error } = await command.run(input, openFront(run, { command, input, emit, version }));
  run.ended = true;
  emit({ type: "result", result });
  if (error === null) return;
  process.exitCode = error.exit;
  face.error(error);
}

interface Scene {
  readonly command: Command;
  readonly input: Input;
  readonly emit: Emit;
  readonly version: string;
}

function openFront(run: Run, { command, input, emit, version }: Scene): Front {
  const { signal } = run.controller;
  let context: Promise<Context> | null = null;
  const script = process.argv[1] ?? "";
  return {
    version,
    executable: EMBEDDED.test(script) ? [process.execPath] : [process.execPath, script],
    emit,
    signal,
    interactive: isTerminal() && process.stdin.isTTY && !input.on("json"),
    ask: async (question, options) => (await faceOf(run)).ask(question, { ...options, signal }),
    context: () => (context ??= makeContext(run, { command, input, emit, version })),
  };
}

async function makeContext(run: Run, { command, input, emit, version }: Scene): Promise<Context> {
  const [{ settingsOf }, { createContext }, { widenDiskThreads }] = await Promise.all([
    import("./cli/settings.ts"),
    import("./app/context.ts"),
    import("./platform/disk-threads.ts"),
  ]);
  await widenDiskThreads();
  const settings = await settingsOf(input, { emit, network: command.network });
  run.partials = settings.partials;
  const context = createContext({ settings, emit, signal: run.controller.signal, version });
  if (!run.isService) run.rest = async () => (await import("./app/interrupt.ts")).awaitRest(context);
  if (command.network) run.desk = await openDesk(context);
  return context;
}

/** Where other terminals see and steer what this run is at. */
async function openDesk({ settings, files, steering, version, emit }: Context): Promise<Desk> {
  const { createDesk } = await import("./control/desk.ts");
  const onFailure = (message: string): void => emit({ type: "notice", level: "info", message });
  return createDesk({ homeFolder: settings.homeFolder, files, steering, version, onFailure });
}

/** Numbers and dates events; the result is the last. */
function numberedEmit(face: Face, run: Run): Emit {
  let seq = 0;
  let ended = false;
  return (body) => {
    if (ended) return;
    ended = body.type === "result";
    seq += 1;
    const event = { v: 1, seq, atMs: Date.now(), ...body } as const;
    face.emit(event);
    run.desk?.hear(event);
  };
}

/** The run's face, opened on first need; where the command line was not understood, `--json` counts all the same. */
async function faceOf(run: Run): Promise<Face> {
  const [{ createFace }, { DEFAULT_COLUMNS, isAscii }, { mentions }] = await Promise.all([
    import("./ui/face.ts"),
    import("./ui/style.ts"),
    import("./cli/command-line.ts"),
  ]);
  const json = run.input?.on("json") ?? mentions(run.argv, "--json");
  const quiet = run.input?.on("quiet") ?? mentions(run.argv, "--quiet", "-q");
  const isTTY = isTerminal();
  const bars = isTTY && !json && !quiet ? await import("./ui/bars.ts") : null;
  run.face ??= createFace({
    stdout: process.stdout,
    stderr: process.stderr,
    json,
    quiet,
    color: process.stderr.isTTY && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
    isTTY,
    ...(bars ? { createBars: bars.createBars } : {}),
    ascii: isAscii(process.env),
    columns: process.stderr.columns || DEFAULT_COLUMNS,
    onReaderGone: () => run.ended || run.isService || stop(run, "SIGPIPE"),
  });
  return run.face;
}

/** Whether standard error is a terminal with a person in front of it. */
function isTerminal(): boolean {
  return process.stderr.isTTY && !process.env["CI"] && process.env["TERM"] !== "dumb";
}

/** Prints a page and loads nothing for it: opening process.stdout alone takes longer than all the rest. */
async function printPage(text: string): Promise<void> {
  try {
    await Bun.write(Bun.stdout, `${text}\n`);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const fault = code === "ENOSPC" ? "standard output is full" : message;
    // A reader that has seen enough (`luci --help | head -1`) is no failure.
    if (code !== "EPIPE")
      throw new LuciError("E_IO", `Could not write the output: ${fault}`, { cause: error });
  }
}

/** Listens for what may end a run from outside, and for what nobody caught. */
function watch(run: Run): void {
  onStopSignal((signal) => stop(run, signal));
  const crash = (thrown: unknown): void => {
    if (isEcho(run.controller.signal, thrown)) return;
    void fail(run, thrown);
    run.controller.abort(toLuciError(thrown));
    leaveAfter(run, WIND_DOWN_MS.resume);
  };
  process.on("uncaughtException", crash);
  process.on("unhandledRejection", crash);
}

/** The first signal asks the run to wind down, the second ends it. */
function stop(run: Run, signal: StopSignal): void {
  const exit = SIGNAL_EXITS[signal];
  if (run.controller.signal.aborted) return leave(run, exit);
  process.exitCode = run.isService ? 0 : exit;
  run.controller.abort(new LuciError("E_INTERRUPTED", `Interrupted (${signal})`, { exit }));
  leaveAfter(run, run.isService ? SERVICE_WIND_DOWN_MS : WIND_DOWN_MS[run.partials]);
}

/** However long the winding down takes: a run that was told to end ends, and only a disk may keep it a little longer. */
function leaveAfter(run: Run, waitMs: number): void {
  const end = (): void => {
    if (!run.failed && process.exitCode !== SIGNAL_EXITS.SIGPIPE)
      run.face?.error(reportError(run.controller.signal.reason));
    leave(run, Number(process.exitCode ?? 1));
  };
  const late = async (): Promise<void> => {
    if (!(await run.rest?.())) end();
    afterTurns(waitMs, end);
  };
  afterTurns(waitMs, () => void late());
}

function leave(run: Run, exit: number): never {
  // Its first half runs at once and gives the terminal back; the rest is not waited for.
  run.face?.close().catch(() => undefined);
  process.exit(exit);
}

/** Says the first failure of a run and sets its exit code. */
async function fail(run: Run, thrown: unknown): Promise<void> {
  if (run.failed) return;
  run.failed = true;
  const { code, message, hint, exit } = toLuciError(thrown);
  process.exitCode = exit;
  // A reader that has seen enough (`luci verify --json | head -1`) is no failure.
  if (exit === SIGNAL_EXITS.SIGPIPE) return;
  const face = await faceOf(run);
  if (code !== "E_INTERNAL") return face.error({ code, message, hint, exit });
  const stack = thrown instanceof Error ? (thrown.stack ?? "") : "";
  face.error({ code, message: redactText(message), hint, exit }, redactText(stack));
}

async function close(run: Run): Promise<void> {
  try {
    // A desk that will not close is nobody's loss: its process ends.
    await run.desk?.close().catch(() => undefined);
    await run.face?.close();
  } catch (thrown) {
    // The face has told it: what was asked for did not reach its reader.
    process.exitCode = toLuciError(thrown).exit;
  }
}

void main(process.argv.slice(2));
