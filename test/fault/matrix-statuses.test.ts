// Statuses, waits, redirects, signed addresses that run out, and servers that go away. One row a fault.

import { describe, expect } from "bun:test";
import { endless, file, head, page, text } from "../support/hostile-answers.ts";
import { type Room, type Script, resolveTo } from "../support/hostile-room.ts";
import {
  LONG,
  type Row,
  UNWRITTEN_BYTES,
  always,
  cut,
  everything,
  inTurn,
  testRow,
} from "../support/hostile-row.ts";
import { FIN, STALL, type Step } from "../support/hostile-server.ts";
import { SMALL, eventsOf } from "../support/rig.ts";

const MIB = 1024 * 1024;
const BOTH = ["address", "hub"] as const;
const HALF = Math.floor(SMALL / 2);

type Final = [status: number, code: NonNullable<Row["wants"]["code"]>, exit: number, words: RegExp];
const finals: Final[] = [
  [401, "E_AUTH", 6, /401.*login/],
  [403, "E_AUTH", 6, /403.*does not let us in/],
  [404, "E_NOT_FOUND", 7, /404.*not there/],
  [407, "E_PROXY", 5, /407.*proxy wants a login/],
  [410, "E_GONE", 7, /410.*withdrawn/],
  [451, "E_GONE", 7, /451.*legal reasons/],
  [300, "E_SERVER", 5, /300/],
  [304, "E_SERVER", 5, /304/],
  [402, "E_SERVER", 5, /402/],
  [405, "E_SERVER", 5, /405/],
  [418, "E_SERVER", 5, /418/],
  [421, "E_SERVER", 5, /421/],
];

const final: Row[] = finals.map(([status, code, exit, words]) => ({
  name: `${status} from the origin is final`,
  vias: BOTH,
  script: everything(() => text(status, status === 304 ? "" : "no")),
  wants: { code, exit, words, mostRequests: 2 },
}));

const finalAtBytes: Row[] = finals.map(([status, code, exit, words]) => ({
  name: `${status} from the origin for the rest of the file is final, and what came is kept`,
  script: inTurn(
    cut({ cutBytes: HALF, after: [FIN] }),
    ...Array.from({ length: 4 }, () => () => text(status, status === 304 ? "" : "no")),
  ),
  wants: { code, exit, words, mostTransfers: 2, leastKeptBytes: HALF - UNWRITTEN_BYTES },
}));

const passing: Row[] = [
  ...[204, 205, 408, 425, 500, 502, 503, 504, 520, 599].map((status): Row => ({
    name: `${status} once is got over`,
    vias: BOTH,
    script: inTurn(() => [head(status, { "Content-Length": 0 })]),
    wants: { mostTransfers: 2 },
  })),
  ...[204, 205, 500, 502, 503, 504, 520].map((status): Row => ({
    name: `${status} always is given up`,
    vias: BOTH,
    script: always(() => [head(status, { "Content-Length": 0 })]),
    wants: { code: "E_SERVER", exit: 5, words: new RegExp(String(status)), mostTransfers: 2 },
  })),
  {
    name: "999 is got over",
    vias: BOTH,
    script: inTurn(() => text(999, "odd")),
    wants: { mostTransfers: 2 },
  },
  {
    name: "503 three times, then the file",
    vias: BOTH,
    settings: { retries: 3 },
    script: inTurn(...Array.from({ length: 3 }, () => () => text(503, "busy"))),
    wants: { mostTransfers: 4, leastMs: 2_500 },
  },
  {
    name: "503 once on every connection",
    sizeBytes: LONG,
    settings: { connections: 4, retries: 2 },
    script: (() => {
      const seen = new Set<number>();
      return always((request) => {
        if (seen.has(request.connection)) return undefined;
        seen.add(request.connection);
        return text(503, "warming up");
      });
    })(),
    // A slow one's rest is asked for again.
    wants: { mostTransfers: 20, mostTimes: 2 },
  },
];

const slow = (headers: Record<string, string>, status = 429) =>
  inTurn(() => text(status, "slow down", headers));
const waits: Row[] = [
  {
    name: "Retry-After in seconds is sat out, and said",
    vias: BOTH,
    script: slow({ "Retry-After": "2" }),
    wants: { mostTransfers: 2, leastMs: 2_000, said: /wait 2 s/ },
  },
  {
    name: "Retry-After of 503 too",
    script: slow({ "Retry-After": "2" }, 503),
    wants: { mostTransfers: 2, leastMs: 2_000 },
  },
  {
    name: "Retry-After as a date is held against the server's own clock, ten years behind",
    vias: BOTH,
    script: slow({ Date: "Fri, 01 Jan 2016 00:00:00 GMT", "Retry-After": "Fri, 01 Jan 2016 00:00:02 GMT" }),
    wants: { mostTransfers: 2, leastMs: 2_000 },
  },
  {
    name: "… and ten years ahead",
    script: slow({ Date: "Fri, 01 Jan 2036 00:00:00 GMT", "Retry-After": "Tue, 01 Jan 2036 00:00:02 GMT" }),
    wants: { mostTransfers: 2, leastMs: 2_000, said: /wait 2 s/ },
  },
  ...(
    [
      ["in the past", { "Retry-After": "Fri, 01 Jan 2016 00:00:00 GMT" }],
      ["negative", { "Retry-After": "-5" }],
      ["garbage", { "Retry-After": "soon \u00e9" }],
      ["empty", { "Retry-After": "" }],
      ["zero", { "Retry-After": "0" }],
      ["missing", {}],
    ] as const
  ).map(([name, headers]): Row => ({
    name: `Retry-After ${name}: our own wait`,
    script: slow(headers),
    wants: { mostTransfers: 2, leastMs: 400 },
  })),
  ...(
    [
      ["an hour", { "Retry-After": "3600" }, /wait 60 min.*in 60 min/],
      ["sixteen minutes", { "Retry-After": "960" }, /wait 16 min/],
      ["more than any number holds", { "Retry-After": "9".repeat(40) }, /wait 365 days/],
      [
        "a date far off",
        { Date: "Fri, 01 Jan 2016 00:00:00 GMT", "Retry-After": "Mon, 04 Jan 2016 00:00:00 GMT" },
        /wait 3 days/,
      ],
    ] as const
  ).map(([name, headers, words]): Row => ({
    name: `Retry-After of ${name} is not sat out: it ends with the time, and what came is kept`,
    vias: BOTH,
    settings: { retries: 4 },
    script: inTurn(cut({ cutBytes: HALF, after: [FIN] }), () => text(429, "slow down", headers)),
    wants: {
      code: "E_RATE_LIMITED",
      exit: 5,
      words,
      mostTransfers: 2,
      leastKeptBytes: HALF - UNWRITTEN_BYTES,
    },
  })),
  {
    name: "429 for ever",
    vias: BOTH,
    script: everything(() => text(429, "no")),
    wants: { code: "E_RATE_LIMITED", exit: 5, mostRequests: 2 },
  },
];

const to = (location: string): Script =>
  everything(({ place }, room) => {
    if (place === "resolve") return resolveTo(room, location);
    return place === "api" ? undefined : [head(302, { "Content-Length": 0, Location: location })];
  });
const refused: Row[] = [
  "file:///etc/passwd",
  "data:application/octet-stream;base64,R0dVRg==",
  "javascript:alert(1)",
  "ftp://127.0.0.1/m.gguf",
  "blob:https://127.0.0.1/1",
  "gopher://127.0.0.1/",
  "http://192.0.2.1/plain",
  "http://",
].map((location) => ({
  name: `a redirect to ${location} is refused`,
  vias: BOTH,
  script: to(location),
  wants: { code: "E_UNSAFE_URL", exit: 10, mostTransfers: 1, mostRequests: 4 },
}));

const redirects: Row[] = [
  ...refused,
  {
    name: "a redirect to itself",
    vias: BOTH,
    script: everything((request, { server }) =>
      request.place === "api"
        ? undefined
        : [head(302, { "Content-Length": 0, Location: `${server.near}${request.target}` })],
    ),
    wants: { code: "E_SERVER", exit: 5, words: /circles/, mostRequests: 13 },
  },
  {
    name: "two addresses that point to each other",
    vias: BOTH,
    script: everything((request, room) => {
      if (request.place === "api") return undefined;
      const { server } = room;
      if (request.place === "resolve") return resolveTo(room, `${server.far}/a`);
      const next = request.side === "far" ? `${server.near}/b` : `${server.far}/a`;
      return [head(307, { "Content-Length": 0, Location: next })];
    }),
    wants: { code: "E_SERVER", exit: 5, words: /circles/, mostRequests: 13 },
  },
  {
    name: "ten hops are followed",
    script: (request, { server }) => hopTo(request.target, { base: server.near, most: 10 }),
    wants: {},
  },
  {
    name: "eleven hops are not",
    script: (request, { server }) => hopTo(request.target, { base: server.near, most: 11 }),
    wants: { code: "E_SERVER", exit: 5, mostRequests: 11 },
  },
  {
    name: "a redirect without an address",
    vias: BOTH,
    script: everything(({ place }) => (place === "api" ? undefined : [head(302, { "Content-Length": 0 })])),
    wants: { code: "E_SERVER", exit: 5, mostRequests: 5 },
  },
  {
    name: "a redirect with a body without an end",
    sizeBytes: LONG,
    script: (request, { server }) =>
      request.side === "near"
        ? (function* () {
            yield head(302, { Location: `${server.far}/blob` });
            yield* endless();
          })()
        : undefined,
    wants: { unread: 3 },
  },
  {
    name: "a relative redirect",
    vias: BOTH,
    script: (request, room) => {
      if (request.place === "resolve") return resolveTo(room, "/moved/m-Q4_0.gguf");
      if (request.target === "/moved/m-Q4_0.gguf") return file(room.content, request);
      return undefined;
    },
    wants: {},
  },
  {
    name: "a redirect without a scheme, with a user name and password",
    script: (request, { server }) =>
      request.side === "near"
        ? [head(302, { "Content-Length": 0, Location: `//user:password@${server.far.slice(7)}/blob` })]
        : undefined,
    wants: {
      also: ({ server }) =>
        expect(server.log.filter(({ raw }) => /password|authorization/i.test(raw))).toEqual([]),
    },
  },
  {
    name: "two addresses in one redirect",
    script: (request, { server }) =>
      request.side === "near"
        ? [head(302, { "Content-Length": 0, Location: [`${server.far}/a`, "https://example.invalid/b"] })]
        : undefined,
    wants: { mostTransfers: 3 },
  },
  {
    name: "a redirect to a login page",
    vias: BOTH,
    script: (request, { server }) => {
      const isFile = request.place === "file" || request.place === "probe" || request.place === "cdn";
      if (request.target === "/login") return text(200, page(4_000), { "Content-Type": "text/html" });
      return isFile ? [head(302, { "Content-Length": 0, Location: `${server.near}/login` })] : undefined;
    },
    wants: { code: "E_MALFORMED", exit: 10, words: /web page/, mostRequests: 9 },
  },
];

function hopTo(target: string, { base, most }: { base: string; most: number }) {
  const hop = Number(/hop=(\d+)/.exec(target)?.[1] ?? 0);
  if (hop >= most) return undefined;
  return [head(302, { "Content-Length": 0, Location: `${base}/m-Q4_0.gguf?hop=${hop + 1}` })];
}

const signed: Row[] = [
  {
    name: "a signed address that runs out in mid-file is fetched anew",
    vias: ["hub"],
    sizeBytes: LONG,
    script: inTurn(
      () => undefined,
      () => text(403, "expired"),
    ),
    wants: { mostTransfers: 5, also: (room) => expect(resolves(room.server.log)).toBe(2) },
  },
  ...[400, 401, 403, 404, 410].map((status): Row => ({
    name: `a CDN that answers ${status} to every fresh address is given up`,
    vias: ["hub"],
    script: always(() => text(status, "no")),
    wants: { code: "E_SERVER", exit: 5, words: new RegExp(String(status)), mostTransfers: 2 },
  })),
  {
    name: "a CDN that gives one byte and then refuses, for ever",
    vias: ["hub"],
    settings: { retries: 2 },
    script: always((request, { content }) =>
      request.turn % 2 === 0
        ? file(content, request, {
            from: {
              startBytes: request.range?.startBytes ?? 0,
              endBytes: (request.range?.startBytes ?? 0) + 1,
            },
          })
        : text(403, "expired"),
    ),
    wants: { code: "E_SERVER", exit: 5, mostTransfers: 12 },
  },
];

function resolves(log: readonly { target: string }[]): number {
  return log.filter(({ target }) => target.includes("/resolve/")).length;
}

/** More than a MiB of it is kept. */
const cutLate = cut({ cutBytes: MIB + UNWRITTEN_BYTES, after: [FIN] });

/** Half of it, and the server is no more. */
const cutDown: typeof cutLate = (request, room) =>
  cut({ cutBytes: HALF, after: goDown(room) })(request, room);

function* goDown({ server }: Room): Generator<Step> {
  void Promise.all([server.down("near"), server.down("far")]);
  yield STALL;
}

const gone: Row[] = [
  {
    name: "a connection refused after half of it, then up again",
    vias: ["address"],
    settings: { retries: 3 },
    script: inTurn(cutDown),
    onRetry: (room, attempt) => void (attempt === 2 && room.server.up("near")),
    wants: { mostTransfers: 2, said: /refused the connection/ },
  },
  {
    name: "a connection refused for good",
    vias: BOTH,
    script: inTurn(cutDown),
    wants: {
      code: "E_NETWORK",
      exit: 5,
      words: /refused the connection/,
      leastKeptBytes: HALF - UNWRITTEN_BYTES,
    },
  },
  {
    name: "a reset before a word is said, on the first connections",
    vias: BOTH,
    settings: { retries: 3 },
    connect: (_, connection) => (connection < 2 ? "reset" : undefined),
    wants: { mostTransfers: 4 },
  },
  {
    name: "connections that are closed at once, for ever",
    vias: BOTH,
    connect: () => "fin",
    wants: { code: "E_NETWORK", exit: 5, mostRequests: 0 },
  },
  {
    name: "connections that are taken and never answered",
    vias: BOTH,
    settings: { stallMs: 300 },
    connect: () => "stall",
    wants: { code: "E_STALLED", exit: 5, mostRequests: 0 },
  },
  {
    name: "HEAD is never asked",
    vias: BOTH,
    sizeBytes: LONG,
    script: (request) => (request.method === "GET" ? undefined : [STALL]),
    wants: { also: ({ server }) => expect(server.log.filter(({ method }) => method !== "GET")).toEqual([]) },
  },
  {
    name: "a line of half a MiB/s for each of eight connections is no stall",
    sizeBytes: LONG,
    settings: { connections: 8, stallMs: 3_000 },
    script: always((request, { content }) =>
      (function* () {
        for (const step of file(content, request)) {
          yield step;
          yield { pauseMs: 250 };
        }
      })(),
    ),
    wants: { also: (_, run) => expect(eventsOf(run, "file.retrying")).toEqual([]), mostTimes: 3 },
  },
  {
    name: "a file that trickles on a slow line adds up, and no attempt is lost",
    vias: BOTH,
    settings: { retries: 1 },
    script: inTurn(cutLate, cutLate),
    wants: { mostTransfers: 3, mostTimes: 1.5 },
  },
];

describe.concurrent("a status that is final", () => [...final, ...finalAtBytes].forEach(testRow));
describe.concurrent("a status that passes", () => passing.forEach(testRow));
describe.concurrent("a wait that is asked for", () => waits.forEach(testRow));
describe.concurrent("a redirect", () => redirects.forEach(testRow));
describe.concurrent("a signed address", () => signed.forEach(testRow));
describe.concurrent("a server that goes away", () => gone.forEach(testRow));
