// The helper must give luci nothing but what it says, and must tell a signal from an exit.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { parseEvents, runLuci } from "../../support/run-luci.ts";
import { tempHome } from "../../support/temp-home.ts";

const before = process.env["LUCI_BINARY"];

beforeEach(() => {
  process.env["HF_TOKEN"] = "hf_leak";
});

afterEach(() => {
  delete process.env["HF_TOKEN"];
  if (before === undefined) delete process.env["LUCI_BINARY"];
  else process.env["LUCI_BINARY"] = before;
});

describe("runLuci", () => {
  test("starts from an empty environment", async () => {
    process.env["LUCI_BINARY"] = "/usr/bin/env";
    await using home = await tempHome();
    const run = await runLuci([], {
      home: home.path,
      hub: { url: "http://127.0.0.1:1" },
      env: { EXTRA: "1" },
    });
    const names = run.stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0] ?? "")
      .toSorted((one, other) => (one < other ? -1 : 1));
    expect(names).toEqual(["EXTRA", "HF_ENDPOINT", "HOME", "LUCI_HOME", "PATH"]);
    expect(run).toMatchObject({ exitCode: 0, signal: null, msAfterSignal: null });
  });

  test("passes input and arguments, and keeps the two outputs apart", async () => {
    process.env["LUCI_BINARY"] = "/bin/sh";
    await using home = await tempHome();
    const script = "cat; echo out; echo err >&2; exit 7";
    const run = await runLuci(["-c", script], { home: home.path, stdin: '{"a":1}\n' });
    expect(run).toMatchObject({ exitCode: 7, stdout: '{"a":1}\nout\n', stderr: "err\n" });
    expect(parseEvents('{"a":1}\n\n{"b":2}\n')).toEqual([{ a: 1 }, { b: 2 }]);
  });

  test("sends a signal when the moment has come, none when luci was faster", async () => {
    process.env["LUCI_BINARY"] = "/bin/sleep";
    await using home = await tempHome();
    const signalAfter = { signal: "SIGINT", after: Promise.resolve() } as const;
    const killed = await runLuci(["60"], { home: home.path, signalAfter });
    expect(killed).toMatchObject({ exitCode: 130, signal: "SIGINT" });
    expect(killed.msAfterSignal).toBeGreaterThanOrEqual(0);
    const never = { signal: "SIGINT", after: Promise.withResolvers<void>().promise } as const;
    const faster = await runLuci(["0"], { home: home.path, signalAfter: never });
    expect(faster).toMatchObject({ exitCode: 0, signal: null, msAfterSignal: null });
  });

  test("names the binary that is missing", async () => {
    process.env["LUCI_BINARY"] = "/nowhere/luci";
    await using home = await tempHome();
    const message = await runLuci([], { home: home.path }).then(String, String);
    expect(message).toContain("/nowhere/luci is missing");
  });
});
