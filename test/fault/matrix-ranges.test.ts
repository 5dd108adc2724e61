// Answers to a range that are another range, no range, another version of the file, or a lie about either.
// One row a fault.

import { describe, expect } from "bun:test";
import { file, head, page, slice, text } from "../support/hostile-answers.ts";
import { type PlacedRequest, type Room, type Script, resolveTo } from "../support/hostile-room.ts";
import {
  LONG,
  type Row,
  UNWRITTEN_BYTES,
  always,
  atFirst,
  cut,
  inTurn,
  testRow,
} from "../support/hostile-row.ts";
import { FIN, STALL, type Step } from "../support/hostile-server.ts";
import { LARGE, type RigRun, SMALL, eventsOf } from "../support/rig.ts";

const MIB = 1024 * 1024;
const BOTH = ["address", "hub"] as const;
const ALL = ["address", "bare", "hub"] as const;
const HALF = Math.floor(SMALL / 2);
const CUT = 5 * MIB;
/** Of an answer that is not to be read: so much, and it waits for the client to go. */
const unread = { cutBytes: MIB, after: [STALL] };

const rejected: Row[] = [
  {
    name: "a range that begins earlier than asked",
    vias: BOTH,
    sizeBytes: LONG,
    script: always((request, { content }) =>
      request.range && request.range.startBytes > 0
        ? file(content, request, { from: { ...request.range, startBytes: 0 }, ...unread })
        : undefined,
    ),
    wants: { mostTimes: 2, mostTransfers: 3 },
  },
  {
    name: "a range that begins later than asked",
    vias: BOTH,
    script: always((request, { content }) =>
      request.range ? file(content, request, { from: { ...request.range, startBytes: 7 } }) : undefined,
    ),
    wants: { mostTimes: 2, mostTransfers: 2 },
  },
  {
    name: "the bytes of another range under the right label",
    vias: BOTH,
    script: always((request, { other }) => file(other, request)),
    wants: { code: "E_DIGEST", exit: 4, mostTimes: 2, mostTransfers: 2 },
  },
  {
    name: "a range longer than asked",
    vias: BOTH,
    sizeBytes: LONG,
    script: always((request, { content }) =>
      request.range
        ? file(content, request, {
            from: { startBytes: request.range.startBytes, endBytes: LONG },
            ...unread,
          })
        : undefined,
    ),
    wants: { unread: 1, mostTransfers: 3 },
  },
  {
    name: "a range shorter than asked is taken, and the rest asked for",
    vias: ALL,
    script: always((request, { content }) =>
      request.range && request.range.endBytes - request.range.startBytes > MIB
        ? file(content, request, {
            from: { startBytes: request.range.startBytes, endBytes: request.range.startBytes + MIB },
          })
        : undefined,
    ),
    wants: { mostTransfers: 4 },
  },
  {
    name: "a range of another total",
    vias: ALL,
    script: always((request, { content }) =>
      file(content, request, { headers: { "Content-Range": `bytes 0-${SMALL - 1}/${SMALL + 5}` } }),
    ),
    wants: { code: "E_SIZE", exit: 4, mostTransfers: 1 },
  },
  {
    name: "a range of an unknown total",
    vias: ALL,
    script: always((request, { content }) =>
      file(content, request, { headers: { "Content-Range": `bytes 0-${SMALL - 1}/*` } }),
    ),
    wants: { mostTransfers: 1 },
  },
  ...(
    [
      ["no Content-Range", null],
      ["a Content-Range that ends before it begins", `bytes ${SMALL}-0/${SMALL}`],
      ["a Content-Range beyond the total", `bytes 0-${SMALL}/${SMALL}`],
      ["a Content-Range in another unit", `items 0-${SMALL - 1}/${SMALL}`],
      ["a Content-Range of absurd numbers", "bytes 0-99999999999999999999/999999999999999999999"],
      ["a Content-Range of words", "bytes all of it"],
    ] as const
  ).map(([name, contentRange]): Row => ({
    name: `${name} is not believed, and the file fetched whole`,
    vias: BOTH,
    script: always((request, { content }) =>
      request.range ? file(content, request, { headers: { "Content-Range": contentRange } }) : undefined,
    ),
    wants: { mostTimes: 2, mostTransfers: 2 },
  })),
  {
    name: "multipart/byteranges",
    vias: BOTH,
    script: always((request, { content }) =>
      request.range
        ? [
            head(206, { "Content-Type": "multipart/byteranges; boundary=x", "Content-Length": SMALL + 80 }),
            `--x\r\nContent-Range: bytes 0-${SMALL - 1}/${SMALL}\r\n\r\n`.padEnd(80),
            ...slice(content, 0, SMALL),
          ]
        : undefined,
    ),
    wants: { mostTimes: 2, mostTransfers: 2 },
  },
  {
    name: "a range of ten bytes at a time: not a file in three hundred thousand pieces",
    vias: ALL,
    script: always((request, { content }) => {
      const startBytes = request.range?.startBytes ?? 0;
      return file(content, request, { from: { startBytes, endBytes: startBytes + 10 } });
    }),
    wants: { code: "E_SERVER", exit: 5, words: /10 bytes at a time/, mostTransfers: 2 },
  },
  {
    name: "206 whatever is asked, never a usable one",
    vias: BOTH,
    script: always(() => [head(206, { "Content-Length": 5 }), "bytes"]),
    wants: { code: "E_SERVER", exit: 5, mostTransfers: 3 },
  },
];

/** Hardly more than a sign of life until the first span has arrived, then not even that. */
function* silentLater(request: PlacedRequest, room: Room): Generator<Step> {
  yield* file(room.content, request, { cutBytes: 0 });
  let { startBytes } = request.range ?? { startBytes: 0 };
  for (; room.writtenBytes < 7.5 * MIB; startBytes += 2_048) {
    yield room.content.read(startBytes, startBytes + 2_048);
    yield { pauseMs: 100 };
  }
  yield STALL;
}

const whole: Row[] = [
  {
    name: "200 with all of it, always",
    vias: ALL,
    sizeBytes: LONG,
    settings: { connections: 4 },
    script: always((request, { content }) => file(content, request, { whole: true })),
    wants: { mostTransfers: 4, mostTimes: 1.5 },
  },
  {
    name: "200 with all of it in the middle of the file: nothing is appended",
    vias: BOTH,
    sizeBytes: LARGE,
    script: inTurn(
      () => undefined,
      (request, { content }) => file(content, request, { whole: true }),
    ),
    wants: { mostTransfers: 3, mostTimes: 1.6 },
  },
  {
    name: "200 with all of it after a cut: only the missing bytes are written",
    vias: BOTH,
    sizeBytes: LONG,
    settings: { retries: 2 },
    script: inTurn(
      cut({ cutBytes: MIB, after: [FIN] }),
      cut({ whole: true, cutBytes: CUT, after: [FIN] }),
      cut({ whole: true, cutBytes: CUT, after: [FIN] }),
    ),
    wants: { mostTransfers: 4, mostTimes: 2.5 },
  },
  {
    name: "200 with all of it, cut a little later every time: what came before comes again only so often",
    vias: BOTH,
    sizeBytes: LARGE,
    script: always((request, room) =>
      cut({ whole: true, cutBytes: (request.turn + 1) * 3 * MIB, after: [FIN] })(request, room),
    ),
    wants: {
      code: "E_NETWORK",
      exit: 5,
      // 3, 6, 9, 12 and 15 MiB.
      mostTransfers: 5,
      mostTimes: 2.3,
      leastKeptBytes: 10 * MIB,
      words: /cannot continue/,
    },
  },
  {
    name: "a server that falls silent on all of its connections is not asked for ever",
    vias: BOTH,
    sizeBytes: LARGE,
    settings: { connections: 4, stallMs: 8_000 },
    script: always((request, room) => (request.turn === 0 ? undefined : silentLater(request, room))),
    wants: { code: "E_STALLED", exit: 5, leastKeptBytes: 7 * MIB },
  },
  {
    name: "200 with all of it in chunks",
    vias: ALL,
    script: always((request, { content }) => file(content, request, { whole: true, chunked: true })),
    wants: { mostTransfers: 1 },
  },
  {
    name: "416 of the file's own size for a range inside it",
    vias: BOTH,
    script: always(() => text(416, "", { "Content-Range": `bytes */${SMALL}` })),
    wants: { code: "E_SIZE", exit: 4, mostTransfers: 2, words: /refuses the range/ },
  },
  {
    name: "416 of another size",
    vias: BOTH,
    script: inTurn(cut({ cutBytes: HALF, after: [FIN] }), () =>
      text(416, "", { "Content-Range": "bytes */7" }),
    ),
    wants: {
      code: "E_SIZE",
      exit: 4,
      mostTransfers: 2,
      words: /it has 7 bytes/,
      leastKeptBytes: HALF - UNWRITTEN_BYTES,
    },
  },
];

const E1 = { ETag: '"v1"' };
const E2 = { ETag: '"v2"' };
const restarted = (_: unknown, run: RigRun): void =>
  expect(eventsOf(run, "file.restarted").map(({ reason }) => reason)).toEqual(["it changed at its source"]);
const neverRestarted = (_: unknown, run: RigRun): void => expect(eventsOf(run, "file.restarted")).toEqual([]);

const versions: Row[] = [
  {
    name: "another strong ETag with other bytes between two ranges: one version comes out, and it is said",
    vias: ["bare"],
    sizeBytes: LARGE,
    script: (request, { content, other }) =>
      request.place === "probe" || request.turn === 0
        ? file(content, request, { headers: E1 })
        : file(other, request, { headers: E2, ...(request.turn === 1 ? unread : {}) }),
    wants: { version: "other", also: restarted, mostTimes: 2, mostTransfers: 6 },
  },
  {
    name: "a file that changed is asked for by If-Range, where its strong ETag is all that is known of it",
    vias: ["bare"],
    sizeBytes: LARGE,
    script: (request, { content, other }) =>
      request.place === "probe" || request.turn === 0
        ? file(content, request, { headers: E1 })
        : file(other, request, {
            headers: { ETag: E2.ETag, "X-Answer": "whole" },
            ...(request.turn === 1 ? unread : {}),
          }),
    wants: {
      version: "other",
      mostTimes: 2,
      also: (room, run) => {
        const asked = room.transfers().map(({ headers }) => headers.get("if-range") ?? null);
        // The first has nothing yet; after the restart neither.
        expect(asked.slice(0, 3)).toEqual([null, '"v1"', null]);
        expect(new Set(asked.slice(3))).toEqual(new Set(['"v2"']));
        restarted(room, run);
      },
    },
  },
  {
    name: "If-Range is not asked where the digest decides, or the ETag is weak",
    vias: BOTH,
    sizeBytes: LONG,
    script: always((request, { content }) => file(content, request, { headers: E1 })),
    wants: {
      also: ({ server }) => expect(server.log.filter(({ headers }) => headers.has("if-range"))).toEqual([]),
    },
  },
  {
    name: "another ETag on every answer: given up",
    vias: ["bare"],
    sizeBytes: LARGE,
    script: (request, { content }) =>
      file(content, request, {
        headers: { ETag: `"${request.place}${request.turn}"` },
        // What is of no use any more after the first of a version.
        ...(request.place === "file" && request.turn % 2 === 1 ? unread : {}),
      }),
    wants: { code: "E_CHANGED", exit: 4, mostTransfers: 5, mostTimes: 2 },
  },
  {
    name: "another ETag on every answer of a file whose digest is known: no matter",
    vias: BOTH,
    sizeBytes: LONG,
    script: (request, { content }) =>
      request.place === "probe" || request.place === "cdn" || request.place === "file"
        ? file(content, request, { headers: { ETag: `"${request.place}${request.turn}"` } })
        : undefined,
    wants: { also: neverRestarted },
  },
  {
    name: "an ETag on some answers and none on others: fetched again from the start once, and the reason is true",
    vias: ["bare"],
    sizeBytes: LARGE,
    script: (request, { content }) =>
      request.turn === 1
        ? file(content, request, { headers: { ETag: null }, ...unread })
        : file(content, request, { headers: { ETag: '"v1"' } }),
    wants: { mostTimes: 2, said: /file\.restarted.*no strong ETag/ },
  },
  {
    name: "weak ETags that change: the digest decides",
    vias: BOTH,
    sizeBytes: LONG,
    script: always((request, { content }) =>
      file(content, request, { headers: { ETag: `W/"${request.turn}"` } }),
    ),
    wants: { also: neverRestarted },
  },
  {
    name: "weak ETags and nothing else, in one run: taken for what it is",
    vias: ["bare"],
    sizeBytes: LONG,
    script: (request, { content }) => file(content, request, { headers: { ETag: `W/"${request.turn}"` } }),
    wants: { also: neverRestarted },
  },
  {
    name: "another size between the question and the transfer",
    vias: ["address", "bare"],
    script: (request, { content }) =>
      request.place === "probe"
        ? file(content, request, { headers: { "Content-Range": `bytes 0-0/${SMALL + 9}` } })
        : undefined,
    wants: { code: "E_SIZE", exit: 4, mostTransfers: 1 },
  },
  {
    name: "a size of nine petabytes",
    vias: ["address", "bare"],
    script: atFirst((request, { content }) =>
      file(content, request, { headers: { "Content-Range": "bytes 0-0/9007199254740991" } }),
    ),
    wants: { code: "E_NO_SPACE", exit: 8, mostTransfers: 0 },
  },
  {
    name: "a Date ten years ahead and a Last-Modified beyond it",
    vias: ALL,
    script: always((request, { content }) =>
      file(content, request, {
        headers: { Date: "Fri, 01 Jan 2038 00:00:00 GMT", "Last-Modified": "Fri, 01 Jan 2040 00:00:00 GMT" },
      }),
    ),
    wants: { mostTransfers: 1 },
  },
  {
    name: "a Date ten years ago and an answer that has long expired",
    vias: ALL,
    script: always((request, { content }) =>
      file(content, request, {
        headers: { Date: "Fri, 01 Jan 2010 00:00:00 GMT", Expires: "0", Age: "999999999" },
      }),
    ),
    wants: { mostTransfers: 1 },
  },
  {
    name: "no Accept-Ranges, or one that says none, but ranges all the same",
    vias: BOTH,
    sizeBytes: LONG,
    script: always((request, { content }) =>
      file(content, request, { headers: { "Accept-Ranges": "none" } }),
    ),
    wants: {},
  },
];

const linked =
  (headers: Record<string, string>): Script =>
  (request, room) =>
    request.place === "resolve" ? resolveTo(room, room.sign(), headers) : undefined;

const announced: Row[] = [
  {
    name: "the hub announces another SHA-256 than its listing",
    vias: ["hub"],
    script: linked({ "X-Linked-Etag": `"${"ab".repeat(32)}"` }),
    wants: { code: "E_CHANGED", exit: 4, mostTransfers: 1 },
  },
  {
    name: "the hub announces another size than its listing",
    vias: ["hub"],
    script: linked({ "X-Linked-Size": "12345" }),
    wants: { code: "E_SIZE", exit: 4, mostTransfers: 1 },
  },
  {
    name: "the hub announces nonsense",
    vias: ["hub"],
    script: linked({ "X-Linked-Etag": "yes", "X-Linked-Size": "many" }),
    wants: { mostTransfers: 1 },
  },
  {
    name: "the CDN has an ETag and a Last-Modified of its own",
    vias: ["hub"],
    sizeBytes: LONG,
    script: always((request, { content }) =>
      file(content, request, { headers: { ETag: `"cdn-${request.turn}"`, "Last-Modified": "yesterday" } }),
    ),
    wants: { also: neverRestarted },
  },
  {
    name: "the listing has another size than the file",
    vias: ["hub"],
    script: (request, { content }) =>
      request.place === "api" && request.target.includes("/tree/")
        ? text(200, listing(content.sha256, SMALL + 1))
        : undefined,
    wants: { code: "E_SIZE", exit: 4, mostTransfers: 1 },
  },
  {
    name: "the listing has another digest than the file",
    vias: ["hub"],
    script: (request, room) => {
      const lie = "cd".repeat(32);
      if (request.place === "api" && request.target.includes("/tree/")) return text(200, listing(lie, SMALL));
      return request.place === "resolve"
        ? resolveTo(room, room.sign(), { "X-Linked-Etag": `"${lie}"` })
        : undefined;
    },
    wants: { code: "E_DIGEST", exit: 4, mostTransfers: 2, mostTimes: 2 },
  },
  {
    name: "the listing goes on at another server",
    vias: ["hub"],
    script: (request, { server }) =>
      request.target.includes("/tree/")
        ? text(200, "[]", { Link: `<${server.far}/api/next>; rel="next"` })
        : undefined,
    wants: { code: "E_MALFORMED", exit: 10, words: /another server/, mostRequests: 2 },
  },
  {
    name: "the listing goes round in circles",
    vias: ["hub"],
    script: (request) =>
      request.target.includes("/tree/")
        ? text(200, "[]", { Link: `<${request.target}>; rel="next"` })
        : undefined,
    wants: { code: "E_MALFORMED", exit: 10, words: /circles/, mostRequests: 3 },
  },
  {
    name: "the listing is at another server: taken from there, without the token",
    vias: ["hub"],
    script: (request, { server, content }) => {
      if (request.target === "/listing") return text(200, listing(content.sha256, SMALL));
      return request.target.includes("/tree/")
        ? [head(302, { "Content-Length": 0, Location: `${server.far}/listing` })]
        : undefined;
    },
    wants: {},
  },
  {
    name: "the listing is a login page",
    vias: ["hub"],
    script: (request) =>
      request.place === "api" ? text(200, page(5_000), { "Content-Type": "text/html" }) : undefined,
    wants: { code: "E_MALFORMED", exit: 10, mostRequests: 1 },
  },
  {
    name: "the listing is cut",
    vias: ["hub"],
    script: (request) =>
      request.place === "api" && request.turn === 0
        ? [head(200, { "Content-Length": 500 }), '{"sha": "01', FIN]
        : undefined,
    wants: { mostTransfers: 1 },
  },
  {
    name: "what it is asked first is answered with all of the file",
    vias: ["address", "bare"],
    sizeBytes: LONG,
    script: atFirst((request, { content }) => file(content, request, { whole: true, ...unread })),
    wants: { unread: 1 },
  },
];

function listing(oid: string, sizeBytes: number): string {
  const lfs = { oid, size: sizeBytes, pointerSize: 135 };
  return JSON.stringify([{ type: "file", path: "m-Q4_0.gguf", oid: "0".repeat(40), size: sizeBytes, lfs }]);
}

describe.concurrent("a range that is none", () => rejected.forEach(testRow));
describe.concurrent("all of the file instead of a range", () => whole.forEach(testRow));
describe.concurrent("versions of a file", () => versions.forEach(testRow));
describe.concurrent("what is announced", () => announced.forEach(testRow));
