import { describe, expect, test } from "bun:test";
import { PassThrough, Writable } from "node:stream";
import type { ErrorReport } from "../../../src/domain/errors.ts";
import type { LuciEventBody } from "../../../src/domain/events.ts";
import type { CleanupItem, CommandResult, InstallResult } from "../../../src/domain/results.ts";
import { createFace } from "../../../src/ui/face.ts";
import { createStage, FakeStream, text } from "./fake-terminal.ts";

const GATED: ErrorReport = {
  code: "E_GATED",
  message: "meta/llama is gated",
  hint: "Accept its terms",
  exit: 6,
};
const SOME: ErrorReport = {
  code: "E_SOME_FAILED",
  message: "1 of 2 models failed",
  hint: "Run it again",
  exit: 3,
};
const VERSION: CommandResult = {
  command: "version",
  version: "0.1.0",
  runtime: "bun 1.4.5",
  platform: "linux-x64",
};
const ended = (result: CommandResult): LuciEventBody => ({ type: "result", result });

function installResult(parts: Partial<InstallResult>): InstallResult {
  return {
    command: "install",
    installed: [],
    failed: [],
    totalModels: 1,
    fetchedBytes: 0,
    elapsedMs: 0,
    dryRun: null,
    ...parts,
  };
}

describe("errors", () => {
  test("say what failed and what to do next, escaped", () => {
    const { face, stdout, stderr } = createStage();
    face.error({
      code: "E_NOT_FOUND",
      message: "No model \u001B]0;x\u0007\u202E",
      hint: "Check\rthe spelling",
      exit: 7,
    });
    expect(stderr.text).toBe(
      text("error: No model \\u{1b}]0;x\\u{7}\\u{202e}", "hint: Check\\u{d}the spelling"),
    );
    expect(stdout.text).toBe("");
  });

  test("show the stack of a bug, and of nothing else", () => {
    const { face, stderr } = createStage();
    const stack = "TypeError: x is undefined\n    at f (a.ts:1:2)\n    at \u001Bg (b.ts:3:4)";
    face.error({ code: "E_INTERNAL", message: "x is undefined", hint: "Report it", exit: 1 }, stack);
    face.error(GATED, stack);
    expect(stderr.text).toBe(
      text(
        "error: x is undefined",
        "    at f (a.ts:1:2)",
        "    at \\u{1b}g (b.ts:3:4)",
        "hint: Report it",
        "error: meta/llama is gated",
        "hint: Accept its terms",
      ),
    );
  });

  test("told by a result are not told again", () => {
    const { face, stderr, play } = createStage();
    play([[0, ended(installResult({ failed: [{ model: "llama", error: GATED }] }))]]);
    face.error({ ...GATED });
    expect(stderr.text).toBe(text("error: meta/llama is gated", "hint: Accept its terms"));
  });

  test("are coloured only where colour is allowed", () => {
    const { face, stderr } = createStage({ color: true });
    face.error(GATED);
    expect(stderr.text).toBe(
      text("\u001B[31merror:\u001B[39m meta/llama is gated", "\u001B[36mhint:\u001B[39m Accept its terms"),
    );
  });
});

describe("data", () => {
  test("goes to standard output, alone", () => {
    const { stdout, stderr, play } = createStage();
    play([
      [0, { type: "run.started", command: "version", version: "0.1.0" }],
      [0, ended(VERSION)],
    ]);
    expect([stdout.text, stderr.text]).toEqual([text("luci 0.1.0 (bun 1.4.5, linux-x64)"), ""]);
  });

  test("is never coloured in a pipe, though words on the terminal are", () => {
    const result: CommandResult = {
      command: "usage",
      modelsFolder: "/m",
      models: [],
      partials: [],
      others: [],
      totalBytes: 0,
      freeBytes: 1e9,
    };
    const piped = createStage({ color: true });
    piped.play([[0, ended(result)]]);
    expect(piped.stdout.text).toBe(text("/m", "0 B  in all, 1 GB free"));
    const stdout = new FakeStream({ columns: 60, rows: 20 });
    const shown = createStage({ color: true, stdout });
    shown.play([[0, ended(result)]]);
    expect(stdout.text).toStartWith("\u001B[1m/m\u001B[22m\n");
  });

  test("comes out in quiet mode too, with errors and nothing else", () => {
    const { face, stdout, stderr, play } = createStage({ quiet: true });
    const started: LuciEventBody = {
      type: "file.started",
      model: "a",
      file: "a.gguf",
      sizeBytes: 1,
      resumedBytes: 0,
    };
    play([
      [0, started],
      [0, { type: "notice", level: "warn", message: "hm" }],
      [0, ended(VERSION)],
    ]);
    play([[0, ended(installResult({ totalModels: 2, failed: [{ model: "llama", error: GATED }] }))]]);
    face.error(SOME);
    expect(stdout.text).toBe(text("luci 0.1.0 (bun 1.4.5, linux-x64)"));
    expect(stderr.text).toBe(
      text(
        "error: llama: meta/llama is gated",
        "hint: Accept its terms",
        "error: 1 of 2 models failed",
        "hint: Run it again",
      ),
    );
  });
});

test("notices name their model and their weight", () => {
  const { stderr, play } = createStage();
  play([
    [0, { type: "notice", level: "info", message: "3 files were left out" }],
    [0, { type: "notice", level: "warn", model: "a\nb", message: "no digest" }],
    ...Array.from({ length: 9 }, (): readonly [number, LuciEventBody] => [
      0,
      { type: "notice", level: "info", message: "same" },
    ]),
  ]);
  expect(stderr.text).toBe(
    text("3 files were left out", "warning: a\\u{a}b: no digest", ...Array<string>(9).fill("same")),
  );
});

describe("an interrupt", () => {
  const interrupted: Extract<LuciEventBody, { type: "interrupted" }> = {
    type: "interrupted",
    during: "download",
    signal: "SIGINT",
    policy: "delete",
    keptBytes: 0,
    doneModels: 0,
    totalModels: 1,
    deleted: ["mistral-7b-instruct-v0.2.Q4_K_M.gguf"],
    undeleted: [],
  };
  const told = (parts: Partial<typeof interrupted>) => {
    const { face, stderr, play } = createStage();
    play([[0, { ...interrupted, ...parts }]]);
    face.error({ code: "E_INTERRUPTED", message: "Interrupted (SIGINT)", hint: "Again", exit: 130 });
    return stderr.text;
  };

  test("with partials=delete", () => {
    expect(told({})).toBe(
      text(
        "Download interrupted by user",
        "Deleted partial download: mistral-7b-instruct-v0.2.Q4_K_M.gguf",
        "   Run the install command again to restart",
      ),
    );
  });

  test("of a question says that nothing was begun, and no more", () => {
    expect(told({ during: "question", totalModels: 30 })).toBe(
      text("Interrupted by user: nothing was begun"),
    );
  });

  test("that could not delete says where and why", () => {
    expect(
      told({
        deleted: [],
        undeleted: [{ path: "/m/\u001Bx.part", reason: "Permission denied" }],
        doneModels: 1,
        totalModels: 4,
      }),
    ).toBe(
      text(
        "Download interrupted by user",
        "Could not delete partial download: /m/\\u{1b}x.part (Permission denied)",
        "1 of 4 models done, installed models stay",
        "   Delete it by hand, or run `luci cleanup`",
      ),
    );
  });

  test("with partials=resume says what is kept and how to go on", () => {
    expect(
      told({ policy: "resume", keptBytes: 1_210_000_000, deleted: [], doneModels: 2, totalModels: 4 }),
    ).toBe(
      text(
        "Download interrupted by user",
        "Kept 1.21 GB of unfinished downloads",
        "2 of 4 models done",
        "   Run the same command again to continue",
      ),
    );
    expect(told({ policy: "resume", signal: "SIGTERM", deleted: [] })).toBe(
      text(
        "Download interrupted: luci was told to stop (SIGTERM)",
        "Nothing had arrived yet",
        "   Run the same command again to continue",
      ),
    );
  });
});

describe("JSON", () => {
  test("is one event per line, the result last, and the error alone on standard error", () => {
    const { face, stdout, stderr, play } = createStage({ json: true, isTTY: true, color: true });
    play([
      [
        5,
        { type: "file.started", model: "a\uD800", file: "b\n\u2028.gguf", sizeBytes: null, resumedBytes: 0 },
      ],
      [6, { type: "notice", level: "warn", message: "\u009B2J" }],
      [7, ended(VERSION)],
    ]);
    face.error(GATED);
    expect(stdout.text).toBe(
      text(
        '{"v":1,"seq":1,"atMs":5,"type":"file.started","model":"a\uFFFD","file":"b\\n\\u2028.gguf","sizeBytes":null,"resumedBytes":0}',
        '{"v":1,"seq":2,"atMs":6,"type":"notice","level":"warn","message":"\\u009b2J"}',
        '{"v":1,"seq":3,"atMs":7,"type":"result","result":{"command":"version","version":"0.1.0","runtime":"bun 1.4.5","platform":"linux-x64"}}',
      ),
    );
    expect(stderr.text).toBe(
      text('{"code":"E_GATED","message":"meta/llama is gated","hint":"Accept its terms","exit":6}'),
    );
  });
});

describe("a question", () => {
  const ITEM: CleanupItem = {
    kind: "partial",
    path: "/m/x.part",
    sizeBytes: 1_200_000_000,
    ageMs: 259_200_000,
    of: "x.gguf",
    reason: "not touched for 3 days",
  };
  const askWith = (answer: string | null, signal = new AbortController().signal) => {
    const stdin = new PassThrough();
    const stage = createStage({ isTTY: true, stdin, stderr: new FakeStream({ columns: 60, rows: 20 }) });
    if (answer !== null) stdin.end(answer);
    return { ...stage, answer: stage.face.ask("Delete it?", { items: [ITEM], signal }) };
  };

  test("is answered by y and yes only", async () => {
    const answers = await Promise.all(
      ["y\n", "Yes \n", "\n", "n\n", "yup\n", ""].map((line) => askWith(line).answer),
    );
    expect(answers).toEqual([true, true, false, false, false, false]);
  });

  test("shows a cleanup's plan as data, once", async () => {
    const { answer, stdout, play } = askWith("y\n");
    await answer;
    play([
      [
        0,
        ended({
          command: "cleanup",
          items: [ITEM],
          kept: [],
          executed: true,
          freedBytes: 1_200_000_000,
          failed: [],
        }),
      ],
    ]);
    expect(stdout.text).toBe(text("1.2 GB  3d old  partial  x.gguf", "   not touched for 3 days"));
  });

  test("is answered no by an abort, by closing, and where nobody is", async () => {
    expect(await askWith(null, AbortSignal.abort()).answer).toBe(false);
    const controller = new AbortController();
    const aborted = askWith(null, controller.signal);
    controller.abort();
    expect(await aborted.answer).toBe(false);
    const closed = askWith(null);
    await closed.face.close();
    expect(await closed.answer).toBe(false);
    expect(await createStage().face.ask("Anybody?")).toBe(false);
  });
});

describe("closing", () => {
  test("waits until a slow reader has everything", async () => {
    const taken: string[] = [];
    const slow = new Writable({
      decodeStrings: false,
      highWaterMark: 1,
      write(chunk: string, _encoding, callback) {
        setImmediate(() => {
          taken.push(chunk);
          callback();
        });
      },
    });
    const { face, play } = createStage({ stdout: slow });
    for (let count = 0; count < 20; count += 1) play([[0, ended(VERSION)]]);
    await face.close();
    expect(taken.length).toBe(20);
  });

  test("tells and throws when the output could not be written", async () => {
    const full = new Writable({
      write: (_chunk, _encoding, callback) =>
        callback(Object.assign(new Error("no space left on device"), { code: "ENOSPC" })),
    });
    const { face, stderr, play } = createStage({ stdout: full });
    play([[0, ended(VERSION)]]);
    const failure: unknown = await face.close().catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "E_IO", exit: 8 });
    expect(stderr.text).toBe(
      text(
        "error: Could not write the output: standard output is full",
        "hint: Send it to another place, or free some space there",
      ),
    );
  });

  test("is quiet when the reader has gone, and says so once", async () => {
    let gone = 0;
    const pipe = new Writable({
      write: (_chunk, _encoding, callback) => callback(Object.assign(new Error("EPIPE"), { code: "EPIPE" })),
    });
    const stderr = new FakeStream();
    const face = createFace({
      stdout: pipe,
      stderr,
      json: true,
      quiet: false,
      color: false,
      isTTY: false,
      columns: 60,
      onReaderGone: () => (gone += 1),
    });
    for (let seq = 1; seq <= 3; seq += 1) face.emit({ v: 1, seq, atMs: 0, ...ended(VERSION) });
    await face.close();
    expect([gone, stderr.text]).toEqual([1, ""]);
  });
});

test("nothing is drawn while a command of the user's own may write, and again when the last has ended", async () => {
  const stderr = new FakeStream({ columns: 60, rows: 20 });
  const { face, play } = createStage({ isTTY: true, stderr });
  const at = { model: "m", file: "m.gguf" };
  const progress = (doneBytes: number): LuciEventBody => ({
    type: "file.progress",
    ...at,
    doneBytes,
    hashedBytes: 0,
    connections: 1,
  });
  play([[0, { type: "file.started", ...at, sizeBytes: 1_000, resumedBytes: 0 }]]);
  play([[600, progress(100)]]);
  const drawn = async (): Promise<void> => {
    const deadlineMs = performance.now() + 60_000;
    while (!stderr.screen().includes("m.gguf") && performance.now() < deadlineMs) await Bun.sleep(5);
  };
  await drawn();
  expect(stderr.screen()).toContain("m.gguf");
  play([
    [700, { type: "hook.started", model: "a" }],
    [701, { type: "hook.started", model: "b" }],
    [702, { type: "hook.ended", model: "a" }],
  ]);
  expect(stderr.screen()).not.toContain("m.gguf");
  stderr.write("said by somebody else\n");
  play([[1_500, progress(500)]]);
  await Bun.sleep(300);
  expect(stderr.screen()).toBe("said by somebody else");
  play([[1_800, { type: "hook.ended", model: "b" }]]);
  play([[2_500, progress(700)]]);
  await drawn();
  expect(stderr.screen()).toMatch(/said by somebody else\n.*m\.gguf/s);
  await face.close();
});
