// Heads that are slow, endless, odd or not HTTP at all, and servers that fall silent. One row a fault.

import { describe } from "bun:test";
import { file, head } from "../support/hostile-answers.ts";
import { LONG, type Row, always, everything, inTurn, testRow } from "../support/hostile-row.ts";
import { FIN, STALL } from "../support/hostile-server.ts";
import { SMALL } from "../support/rig.ts";

const KIB = 1024;
const BOTH = ["address", "hub"] as const;
const HALF = Math.floor(SMALL / 2);
/** What a proper answer never takes, whoever of this process has no turn meanwhile. */
const STALL_MS = 3_000;

const silences: Row[] = [
  {
    name: "silence before the head",
    vias: BOTH,
    settings: { stallMs: STALL_MS },
    script: inTurn(() => [STALL]),
    wants: { mostTransfers: 2, said: /E_STALLED/ },
  },
  {
    name: "silence after the head",
    vias: BOTH,
    settings: { stallMs: STALL_MS },
    script: inTurn((request, { content }) => file(content, request, { cutBytes: 0, after: [STALL] })),
    wants: { mostTransfers: 2, said: /E_STALLED/ },
  },
  {
    name: "silence in the middle",
    vias: BOTH,
    settings: { stallMs: STALL_MS },
    script: inTurn((request, { content }) => file(content, request, { cutBytes: HALF, after: [STALL] })),
    wants: { mostTransfers: 2, said: /E_STALLED/ },
  },
  {
    name: "silence for ever: given up, and what came is kept",
    vias: BOTH,
    settings: { stallMs: STALL_MS },
    script: always((request, { content }) =>
      request.turn === 0 ? file(content, request, { cutBytes: HALF, after: [STALL] }) : [STALL],
    ),
    // All of it was read before anybody spoke of silence.
    wants: { code: "E_STALLED", exit: 5, mostTransfers: 2, leastKeptBytes: HALF },
  },
  {
    name: "a head that comes letter by letter",
    settings: { stallMs: STALL_MS },
    script: inTurn(() =>
      (function* () {
        for (const letter of "HTTP/1.1 206 Partial Content\r\nX-Slow: ".padEnd(2_000, "x")) {
          yield letter;
          yield { pauseMs: 20 };
        }
      })(),
    ),
    wants: { mostTransfers: 2, said: /E_STALLED/ },
  },
  {
    name: "a body that comes byte by byte",
    settings: { stallMs: STALL_MS },
    script: inTurn((request, { content }) =>
      (function* () {
        yield* file(content, request, { cutBytes: 0 });
        for (let at = 0; ; at += 1) {
          yield content.read(at, at + 1);
          yield { pauseMs: 20 };
        }
      })(),
    ),
    wants: { mostTransfers: 2, said: /E_STALLED/ },
  },
  {
    name: "a slow but steady body is no stall",
    // All pauses together are much longer, and each of them is much shorter, however late it ends.
    settings: { stallMs: STALL_MS },
    script: always((request, { content }) =>
      (function* () {
        for (const step of file(content, request)) {
          yield step;
          yield { pauseMs: 250 };
        }
      })(),
    ),
    wants: { mostTransfers: 1, leastMs: 6_000 },
  },
];

const heads: Row[] = [
  {
    name: "an endless head",
    vias: BOTH,
    settings: { stallMs: STALL_MS },
    sizeBytes: LONG,
    script: always(() =>
      (function* () {
        yield "HTTP/1.1 206 Partial Content\r\n";
        for (let line = 0; line < 500; line += 1) yield `X-Flood-${line}: ${"x".repeat(8_000)}\r\n`;
        yield STALL;
      })(),
    ),
    wants: { code: "E_SERVER", exit: 5, words: /proper HTTP/, mostTransfers: 2 },
  },
  {
    name: "two thousand short header lines",
    script: inTurn((request, { content }) =>
      file(content, request, {
        headers: Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`X-${at}`, "y"])),
      }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "one header line of 64 KiB",
    script: inTurn((request, { content }) =>
      file(content, request, { headers: { "X-Long": "y".repeat(64 * KIB) } }),
    ),
    wants: { mostTransfers: 2 },
  },
  {
    name: "a 100 and two 103 before the answer",
    vias: BOTH,
    script: always((request, { content }) => [
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\n\r\n",
      ...file(content, request),
    ]),
    wants: { mostTransfers: 1 },
  },
  {
    name: "a flood of 103 and never an answer",
    vias: BOTH,
    sizeBytes: LONG,
    settings: { stallMs: 400 },
    script: always(() =>
      (function* () {
        for (;;) {
          yield "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n".repeat(20);
          yield { pauseMs: 1 };
        }
      })(),
    ),
    wants: { code: "E_STALLED", exit: 5, mostTransfers: 2 },
  },
  {
    name: "a 101 that nobody asked for",
    script: inTurn(() => [
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
      "noise",
      FIN,
    ]),
    wants: { mostTransfers: 2 },
  },
  ...(
    [
      ["HTTP/0.9", "just the bytes, no head at all"],
      ["garbage for a status line", "\0\x01\x02\x7f garbage\r\n\r\n"],
      ["a status line of another protocol", "ICY 200 OK\r\n\r\n"],
      ["a status that is no number", "HTTP/1.1 abc OK\r\n\r\n"],
      ["HTTP/2 on a plain line", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
      ["an SSH greeting", "SSH-2.0-OpenSSH_9.6\r\n"],
      ["a TLS alert", "\x15\x03\x01\x00\x02\x02\x28"],
      ["an answer without a word", ""],
    ] as const
  ).map(([name, said]): Row => ({
    name: `${name}, once`,
    vias: BOTH,
    script: inTurn(() => [said, FIN]),
    wants: { mostTransfers: 2 },
  })),
  {
    name: "garbage from the first word on",
    vias: BOTH,
    script: everything(() => ["\0\0\0garbage\r\n\r\n", FIN]),
    wants: { code: "E_NETWORK", exit: 5, words: /closed the connection/, mostRequests: 4 },
  },
  {
    name: "not a word, ever",
    vias: BOTH,
    script: everything(() => [FIN]),
    wants: { code: "E_NETWORK", exit: 5, words: /closed the connection/, mostRequests: 4 },
  },
];

const odd: Row[] = [
  {
    name: "lines that end without a carriage return",
    vias: BOTH,
    script: inTurn((_, { content }) => [
      "HTTP/1.1 206 Partial Content\n",
      `Content-Length: ${SMALL}\nContent-Range: bytes 0-${SMALL - 1}/${SMALL}\n\n`,
      content.read(0, SMALL),
    ]),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "a header line that goes on in the next one",
    script: inTurn((request, { content }) =>
      file(content, request, { headers: { "X-Folded": "one\r\n two" }, after: [FIN] }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "a NUL in a header",
    script: inTurn((request, { content }) =>
      file(content, request, { headers: { "X-Nul": "a\0b" }, after: [FIN] }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "a space before the colon",
    script: inTurn((_, { content }) => [
      head(206, { "Content-Length ": SMALL, "Content-Range ": `bytes 0-${SMALL - 1}/${SMALL}` }),
      content.read(0, SMALL),
      FIN,
    ]),
    wants: { mostTransfers: 3, mostTimes: 2 },
  },
  {
    name: "two Content-Range lines that differ",
    vias: BOTH,
    script: inTurn((request, { content }) =>
      file(content, request, {
        headers: { "Content-Range": [`bytes 0-${SMALL - 1}/${SMALL}`, `bytes 5-${SMALL - 1}/${SMALL}`] },
      }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "an identity transfer coding",
    script: inTurn((request, { content }) =>
      file(content, request, { headers: { "Transfer-Encoding": "identity" }, after: [FIN] }),
    ),
    wants: { mostTransfers: 2, mostTimes: 2 },
  },
];

describe.concurrent("silence", () => silences.forEach(testRow));
describe.concurrent("a head that is none", () => heads.forEach(testRow));
describe.concurrent("a head that is odd", () => odd.forEach(testRow));
