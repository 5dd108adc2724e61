// Commands that speak to other lucis: what is handed on, and what their ends make of it.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { installCommand } from "../../../src/cli/install.ts";
import { limitCommand } from "../../../src/cli/limit.ts";
import { Problem, problemResponse } from "../../../src/control/problem.ts";
import { runCommand } from "../../support/cli-front.ts";
import { openPeer } from "../../support/local-peer.ts";
import { tempHome, type TempHome } from "../../support/temp-home.ts";

let home: TempHome;
let before: string | undefined;

beforeEach(async () => {
  home = await tempHome();
  before = process.env["LUCI_HOME"];
  process.env["LUCI_HOME"] = home.path;
});
afterEach(async () => {
  if (before === undefined) delete process.env["LUCI_HOME"];
  else process.env["LUCI_HOME"] = before;
  await home[Symbol.asyncDispose]();
});

const ok = (): Response => Response.json({ limitRate: 5_000_000, downloads: [] });
const ended = (): Response =>
  problemResponse(new Problem({ status: 404, code: "E_NOT_FOUND", detail: "ended", hint: "h" }));
const full = (): Response =>
  problemResponse(new Problem({ status: 507, code: "E_NO_SPACE", detail: "full", hint: "h" }));
const peer = (pid: number, answer: () => Response, role?: "serve") =>
  openPeer({ homeFolder: home.path, pid, answer, ...(role ? { role } : {}) });

describe("a limit for everything", () => {
  test("is no failure where one process ends just then", async () => {
    await using gone = await peer(11, ended);
    await using there = await peer(12, ok);
    const { result, error } = await runCommand(limitCommand, ["5M/s"]);
    expect(error).toBeNull();
    expect(result).toMatchObject({ runs: [{ pid: 12, limitBytesPerSec: 5_000_000 }] });
    expect([gone.asked.length, there.asked.length]).toEqual([1, 1]);
  });

  test.each([
    [ended, "E_NOT_FOUND"],
    [full, "E_NO_SPACE"],
  ])("is one where nobody took it, or somebody refused (%#)", async (answer, code) => {
    await using gone = await peer(11, ended);
    await using other = await peer(12, answer);
    await expect(runCommand(limitCommand, ["5M"])).rejects.toMatchObject({ code });
    expect([gone.asked.length, other.asked.length]).toEqual([1, 1]);
  });

  test.each([
    ["20M/s", 20_000_000],
    ["none", "off"],
    ["off", "off"],
    ["schedule", "schedule"],
    // There null means the default, which may be a limit.
    ["default", null],
  ])("%p is sent as %p", async (typed, limitRate) => {
    await using there = await peer(11, ok);
    await runCommand(limitCommand, [typed]);
    expect(there.asked).toEqual([{ method: "PATCH", path: "/v1/settings", body: { limitRate } }]);
  });
});

describe("install --detach", () => {
  test.each([
    ["20M/s", 20_000_000],
    ["1MiB", 1_048_576],
    ["none", null],
  ])("sends the limit %p as %p", async (typed, limitRate) => {
    await using daemon = await peer(11, ok, "serve");
    await runCommand(installCommand, ["mistral", "--detach", "--limit-rate", typed]);
    expect(daemon.asked).toMatchObject([{ path: "/v1/downloads/batch", body: { limitRate } }]);
  });

  test.each([
    [["--disk-wait", "5m"], "`--disk-wait`", "Say `--disk-wait` where `luci serve` is started"],
    [["--ca-file", "x.pem"], "`--ca-file`", "Say `--ca-file` where `luci serve` is started"],
    [["--force"], "`--force`", "Leave --detach out for `--force`"],
    [["--jobs", "2", "--no-wait"], "`--jobs`, `--no-wait`", "; leave --detach out for `--no-wait`"],
  ])("refuses %p, and says whose it is", async (flags, named, hint) => {
    await using daemon = await peer(11, ok, "serve");
    const error: unknown = await runCommand(installCommand, ["mistral", "--detach", ...flags]).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: "E_USAGE",
      message: expect.stringContaining(named),
      hint: expect.stringContaining(hint),
    });
    expect(daemon.asked).toEqual([]);
  });
});
