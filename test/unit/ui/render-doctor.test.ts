// An examination on narrow paper: aligned, calm, without colour, and nothing forged by what was found.

import { expect, test } from "bun:test";
import type { DoctorCheck, DoctorResult } from "../../../src/domain/doctor.ts";
import { renderDoctor } from "../../../src/ui/render-doctor.ts";
import { createPaint } from "../../../src/ui/style.ts";

const STYLE = { paint: createPaint(false), columns: 60 };

function examined(...checks: Partial<DoctorCheck>[]): DoctorResult {
  const blank = { name: "x", state: "ok", finding: "", advice: null, code: null } as const;
  return { command: "doctor", checks: checks.map((check) => ({ ...blank, ...check })), elapsedMs: 1 };
}

const ILL = examined(
  { name: "folder", finding: "/home/me/models can be written" },
  {
    name: "open files",
    state: "warning",
    finding: "Only 128 files may be open at once",
    advice: "Raise it with `ulimit -n 1024`, or use fewer --jobs and --connections",
  },
  {
    name: "proxy",
    state: "problem",
    finding: "ALL_PROXY names a socks proxy, which luci cannot use: it does not connect around it",
    advice: "Unset ALL_PROXY, or set HTTPS_PROXY to an http proxy",
    code: "E_PROXY",
  },
);

test("at 60 columns", () => {
  expect(renderDoctor(ILL, STYLE).data).toEqual([
    "ok       folder      /home/me/models can be written",
    "warning  open files  Only 128 files may be open at once",
    "                     → Raise it with `ulimit -n 1024`, or",
    "                       use fewer --jobs and --connections",
    "problem  proxy       ALL_PROXY names a socks proxy, which",
    "                     luci cannot use: it does not connect",
    "                     around it",
    "                     → Unset ALL_PROXY, or set HTTPS_PROXY",
    "                       to an http proxy",
  ]);
  expect(renderDoctor(ILL, STYLE).summary).toEqual(["3 checks, 1 problem, 1 warning"]);
});

test("when all is well", () => {
  expect(renderDoctor(examined({ name: "a" }, { name: "b" }), STYLE).summary).toEqual([
    "2 checks, all is well",
  ]);
});

test("colour changes no width, and what was found cannot drive the terminal", () => {
  const coloured = renderDoctor(ILL, { ...STYLE, paint: createPaint(true) }).data;
  // oxlint-disable-next-line no-control-regex -- control sequences are what it is about
  expect(coloured.map((line) => line.replace(/\u001B\[\d+m/g, ""))).toEqual([
    ...renderDoctor(ILL, STYLE).data,
  ]);
  const hostile = examined({ finding: "\u001B[2Jgone\r\nok", advice: "\u202Eforged" });
  const told = renderDoctor(hostile, STYLE).data.join("\n");
  for (const control of ["\u001B", "\r", "\u202E"]) expect(told).not.toContain(control);
});
