// Some of the faults once more on the built binary: exit codes, streams, and no secret in any of them.

import { describe, expect, test } from "bun:test";
import { endless, file, head, page, text } from "../support/hostile-answers.ts";
import { type Room, type Script, type Via, openRoom, resolveTo } from "../support/hostile-room.ts";
import { LONG, always, everything, inTurn } from "../support/hostile-row.ts";
import { FIN, STALL } from "../support/hostile-server.ts";
import { SMALL } from "../support/rig.ts";
import { type LuciRun, runLuci } from "../support/run-luci.ts";

const MIB = 1024 * 1024;

interface BinaryRow {
  readonly name: string;
  readonly via: Via;
  readonly sizeBytes?: number;
  readonly script: Script;
  /** After how much silence it gives up; as usual unless given. */
  readonly stallSeconds?: number;
  readonly exit: number;
  /** On standard error. */
  readonly words: RegExp;
}

const rows: BinaryRow[] = [
  {
    name: "a connection that is cut once",
    via: "hub",
    script: inTurn((request, { content }) => file(content, request, { cutBytes: MIB, after: [FIN] })),
    exit: 0,
    words: /closed the connection|ended before/,
  },
  {
    name: "an endless body",
    via: "address",
    sizeBytes: LONG,
    script: always((request, { content }) => file(content, request, { after: endless() })),
    exit: 0,
    words: /m-q4_0/i,
  },
  {
    name: "silence",
    via: "hub",
    script: always(() => [STALL]),
    stallSeconds: 1,
    exit: 5,
    words: /E_STALLED|No data/,
  },
  {
    name: "other bytes of the right length",
    via: "address",
    script: always((request, { other }) => file(other, request)),
    exit: 4,
    words: /the bytes received have sha256/,
  },
  {
    name: "a login page of the right length",
    via: "hub",
    script: always(() => text(200, page(SMALL), { "Content-Type": "text/html" })),
    exit: 10,
    words: /web page/,
  },
  {
    name: "401 for the token we have",
    via: "hub",
    script: everything(() => text(401, "no")),
    exit: 6,
    words: /Your HF_TOKEN may not read/,
  },
  {
    name: "451",
    via: "address",
    script: everything(() => text(451, "no")),
    exit: 7,
    words: /legal reasons/,
  },
  {
    name: "429 with an hour to wait",
    via: "hub",
    script: always(() => text(429, "no", { "Retry-After": "3600" })),
    exit: 5,
    words: /60 min/,
  },
  {
    name: "a redirect to a file of this machine",
    via: "hub",
    script: (request, room) =>
      request.place === "resolve" ? resolveTo(room, "file:///etc/passwd") : undefined,
    exit: 10,
    words: /not https/,
  },
  {
    name: "a redirect that ends at a refusal, with secrets in its address",
    via: "address",
    script: (request, room) =>
      request.side === "near" ? [head(302, { "Content-Length": 0, Location: room.sign() })] : text(404, "no"),
    exit: 7,
    words: /404/,
  },
];

describe.concurrent("the binary meets", () => {
  for (const row of rows) test(row.name, () => meet(row));
});

async function meet({ via, sizeBytes = SMALL, script, stallSeconds, exit, words }: BinaryRow): Promise<void> {
  await using room = await openRoom({ via, sizeBytes, script });
  for (const flags of [[], ["--json"]]) {
    const run = await install(room, { flags, stallSeconds });
    const { finals } = await room.check({ stdout: run.stdout, stderr: run.stderr });
    expect(run.exitCode, run.stderr).toBe(exit);
    if (flags.length === 0) expect(`${run.stdout}${run.stderr}`).toMatch(words);
    expect(run.stderr).not.toMatch(/^\s+at /m);
    expect(finals).toHaveLength(exit === 0 ? 1 : 0);
    if (exit === 0) return;
  }
  room.heal();
  const again = await install(room, {});
  await room.check({ stdout: again.stdout, stderr: again.stderr });
  expect(again.exitCode, again.stderr).toBe(0);
  expect(await room.rig.finalSha256()).toBe(room.content.sha256);
}

function install(
  room: Room,
  { flags = [], stallSeconds }: { flags?: readonly string[]; stallSeconds?: number | undefined },
): Promise<LuciRun> {
  const stall = stallSeconds === undefined ? {} : { LUCI_STALL_SECONDS: String(stallSeconds) };
  return runLuci(["install", room.ref, "--retries", "1", ...flags], {
    home: room.rig.home,
    env: { ...room.environment, ...stall, NO_COLOR: "1" },
  });
}
