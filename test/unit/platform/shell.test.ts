// A user's own command: what it is told, and how it ends. Needs a POSIX shell.

import { afterEach, describe, expect, jest, test } from "bun:test";
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { runShell } from "../../../src/platform/shell.ts";
import { tempHome } from "../../support/temp-home.ts";

const { signal } = new AbortController();
const OPTIONS = { env: {}, limitMs: 120_000, signal };

afterEach(() => void jest.useRealTimers());

describe("a command", () => {
  test("ends with its exit code, or by its signal", async () => {
    expect(await runShell("true", OPTIONS)).toEqual({ exitCode: 0, signal: null, isTooLong: false });
    expect(await runShell("exit 3", OPTIONS)).toMatchObject({ exitCode: 3 });
    expect(await runShell("no-such-program-of-anybody 2>/dev/null", OPTIONS)).toMatchObject({
      exitCode: 127,
    });
    expect(await runShell("kill -9 $$", OPTIONS)).toMatchObject({ exitCode: null, signal: "SIGKILL" });
  });

  test("finds what it is told in its environment, as it is, beside what is there; no secret of luci's", async () => {
    await using home = await tempHome();
    const out = join(home.path, "out");
    const name = `$(touch ${home.path}/owned) "; touch ${home.path}/owned; \``;
    process.env["HF_TOKEN"] = "hf_hush";
    process.env["LUCI_SERVE_TOKEN"] = "hush";
    process.env["LUCI_TEST_OTHER"] = "stays";
    try {
      const command = 'printf "%s\\n" "$LUCI_MODEL" "$LUCI_TEST_OTHER" "$HF_TOKEN$LUCI_SERVE_TOKEN" > "$OUT"';
      await runShell(command, { ...OPTIONS, env: { LUCI_MODEL: name, OUT: out } });
    } finally {
      for (const key of ["HF_TOKEN", "LUCI_SERVE_TOKEN", "LUCI_TEST_OTHER"]) delete process.env[key];
    }
    expect(await readFile(out, "utf8")).toBe(`${name}\nstays\n\n`);
    expect(await Bun.file(join(home.path, "owned")).exists()).toBe(false);
  });

  test("that does not want to end is ended all the same, as is one that comes too late", async () => {
    await using home = await tempHome();
    const deaf = join(home.path, "deaf");
    const stubborn = 'trap "" TERM; : > "$DEAF"; while :; do sleep 0.05; done';
    jest.useFakeTimers();
    const ending = runShell(stubborn, { ...OPTIONS, env: { DEAF: deaf } });
    while (!existsSync(deaf)) await stat(home.path);
    jest.advanceTimersByTime(OPTIONS.limitMs);
    jest.advanceTimersByTime(1_000);
    jest.useRealTimers();
    expect(await ending).toEqual({ exitCode: null, signal: "SIGKILL", isTooLong: true });
    const aborted = AbortSignal.abort(new Error("over"));
    expect(await runShell("sleep 30", { ...OPTIONS, signal: aborted })).toMatchObject({
      isTooLong: false,
      exitCode: null,
    });
  });
});
