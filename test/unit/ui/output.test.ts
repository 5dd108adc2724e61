import { expect, test } from "bun:test";
import { join } from "node:path";

/** A program that writes a large result through the face and ends the moment that says that it is written. */
const PROGRAM = `
  const { createFace } = await import(${JSON.stringify(join(import.meta.dir, "../../../src/ui/face.ts"))});
  let gone = 0;
  const face = createFace({ stdout: process.stdout, stderr: process.stderr, json: true, quiet: false, color: false, isTTY: false, columns: 80, onReaderGone: () => gone++ });
  const message = "x".repeat(1000);
  for (let seq = 1; seq <= 2000; seq++) face.emit({ v: 1, seq, atMs: 0, type: "notice", level: "info", message });
  await face.close();
  require("node:fs").writeSync(2, gone + " gone");
  process.exit(0);
`;

async function run(shell: string): Promise<readonly [stdout: string, stderr: string]> {
  const child = Bun.spawn(["sh", "-c", shell, "sh", process.execPath, PROGRAM], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return output;
}

test("two megabytes through a pipe to a late reader arrive whole", async () => {
  const [stdout, stderr] = await run('"$1" -e "$2" | { sleep 0.3; tail -n 1; }');
  expect(JSON.parse(stdout)).toMatchObject({ seq: 2_000 });
  expect(stderr).toBe("0 gone");
});

test("a reader that leaves is a quiet end", async () => {
  const [stdout, stderr] = await run('"$1" -e "$2" | head -c 6');
  expect([stdout, stderr]).toEqual(['{"v":1', "1 gone"]);
});
