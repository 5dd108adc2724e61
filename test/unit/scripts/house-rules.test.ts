// The linter guards the house: every rule of its layout is broken once here, in a copy of the house made of
// one-line files, and has to be noticed. One innocent file per room proves that the doors which open do open.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dir, "../../..");
const ROOMS = ["cli", "control", "app", "ui", "demo", "sources", "transfer", "store", "platform", "domain"];
/** Room → the rooms it may look into, itself aside. `main.ts` may look into all. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  cli: ["app", "control", "demo", "platform", "domain"],
  control: ["app", "platform", "domain"],
  app: ["sources", "transfer", "store", "platform", "domain"],
  ui: ["domain"],
  demo: ["platform", "domain"],
  sources: ["platform", "domain"],
  transfer: ["platform", "domain"],
  store: ["platform", "domain"],
  platform: ["domain"],
  domain: [],
};

const look = (room: string): string => `export type { Thing } from "../${room}/thing.ts";\n`;
const PROMISE = "export async function later(): Promise<number> {\n  return 1;\n}\n";
const IMPORTS = "no-restricted-imports";
const GLOBALS = "no-restricted-globals";
const PROPERTIES = "no-restricted-properties";

/** [file, text, the rule that must object, or null when nothing may] */
const CASES: readonly (readonly [path: string, text: string, rule: string | null])[] = [
  ...ROOMS.flatMap((room) =>
    ROOMS.filter((other) => other !== room).map(
      (other) =>
        [`src/${room}/to-${other}.ts`, look(other), DOORS[room]?.includes(other) ? null : IMPORTS] as const,
    ),
  ),
  ["src/app/to-main.ts", 'export type { Main } from "../main.ts";\n', IMPORTS],
  [
    "src/store/late.ts",
    'export async function load(): Promise<unknown> {\n  return await import("../transfer/thing.ts");\n}\n',
    IMPORTS,
  ],
  ["src/app/disk.ts", 'export { readFile } from "node:fs/promises";\n', IMPORTS],
  ["src/domain/impure.ts", 'export { createHash } from "node:crypto";\n', IMPORTS],
  ["src/domain/clock.ts", "export const timer = setTimeout;\n", GLOBALS],
  ["src/domain/environment.ts", "export const { env } = process;\n", GLOBALS],
  ["src/sources/library.ts", 'export { ofetch } from "ofetch";\n', IMPORTS],
  [
    "src/sources/net.ts",
    'export const call = (): Promise<Response> => fetch("http://localhost");\n',
    GLOBALS,
  ],
  [
    "src/platform/net.ts",
    'export const call = (): Promise<Response> => fetch("http://localhost");\n',
    GLOBALS,
  ],
  [
    "src/platform/http-net.ts",
    'export const call = (): Promise<Response> => fetch("http://localhost");\n',
    null,
  ],
  ["src/transfer/write.ts", 'export const save = (): Promise<number> => Bun.write("x", "y");\n', GLOBALS],
  ["src/app/screen.ts", "export const screen = process.stdout;\n", PROPERTIES],
  ["src/cli/screen.ts", "export const screen = process.stderr;\n", PROPERTIES],
  ["src/ui/screen.ts", "export const screen = process.stdout;\n", null],
  ["src/cli/says.ts", 'console.log("x");\n', "no-console"],
  ["src/cli/logs.ts", 'export { consola } from "consola";\n', IMPORTS],
  ["src/app/end.ts", "export const end = (): never => process.exit(1);\n", PROPERTIES],
  ["src/ui/end.ts", "export const end = (): never => process.exit(1);\n", PROPERTIES],
  ["src/main.ts", "export type Main = number;\nexport const end = (): never => process.exit(1);\n", null],
  [
    "src/domain/floating.ts",
    `${PROMISE}export function go(): void {\n  later().then(() => 2);\n}\n`,
    "no-floating-promises",
  ],
  ["src/domain/default.ts", "export default 1;\n", "no-default-export"],
  ["src/domain/long.ts", `export const x = 1;\n${"// line\n".repeat(260)}`, "max-lines"],
  [
    "src/domain/long-function.ts",
    `export function long(): number[] {\n  const all: number[] = [];\n${"  all.push(1);\n".repeat(50)}  return all;\n}\n`,
    "max-lines-per-function",
  ],
  [
    "src/domain/many.ts",
    "export const sum = (a: number, b: number, c: number, d: number): number => a + b + c + d;\n",
    "max-params",
  ],
  ["src/domain/any.ts", "export const x: any = 1;\n", "no-explicit-any"],
  ["src/domain/promise.ts", "// TODO: something\nexport const x = 1;\n", "no-warning-comments"],
  ["src/domain/Camel.ts", "export const x = 1;\n", "filename-case"],
  [
    "src/domain/ring-a.ts",
    'import { b } from "./ring-b.ts";\nexport const a = (): number => b();\n',
    "no-cycle",
  ],
  [
    "src/domain/ring-b.ts",
    'import { a } from "./ring-a.ts";\nexport const b = (): number => a();\n',
    "no-cycle",
  ],
];

let house: string;
let found: ReadonlyMap<string, readonly string[]>;

beforeAll(async () => {
  house = await mkdtemp(join(tmpdir(), "luci-house-"));
  await symlink(join(ROOT, "node_modules"), join(house, "node_modules"), "junction");
  const things = ROOMS.map((room) => [`src/${room}/thing.ts`, "export type Thing = number;\n"] as const);
  for (const [path, text] of [...things, ...CASES]) {
    await mkdir(dirname(join(house, path)), { recursive: true });
    await writeFile(join(house, path), text);
  }
  await mkdir(join(house, "scripts"));
  for (const file of ["tsconfig.json", "scripts/oxlint.json"])
    await copyFile(join(ROOT, file), join(house, file));
  found = await lint();
});

afterAll(async () => {
  await rm(house, { recursive: true, force: true });
});

/** File → the rules that object to something in it. */
async function lint(): Promise<ReadonlyMap<string, readonly string[]>> {
  const run = Bun.spawn(
    [
      process.execPath,
      join(ROOT, "node_modules/oxlint/bin/oxlint"),
      "-c",
      "scripts/oxlint.json",
      "-f",
      "json",
      "src",
    ],
    { cwd: house, stdout: "pipe", stderr: "inherit" },
  );
  const report: { diagnostics: { code: string; filename: string }[] } = JSON.parse(await run.stdout.text());
  const rules = new Map<string, string[]>();
  for (const { code, filename } of report.diagnostics) {
    const path = filename.replaceAll("\\", "/");
    rules.set(path, [...(rules.get(path) ?? []), /\((.+)\)/.exec(code)?.[1] ?? code]);
  }
  return rules;
}

describe("the rules of the house", () => {
  test.each(CASES)("%s", (path, _text, rule) => {
    const expected = rule === null ? [] : [rule];
    expect([...new Set(found.get(path))]).toEqual(expected);
  });
});
