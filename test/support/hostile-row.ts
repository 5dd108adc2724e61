// A row of the table of faults: what the server does, and how it must end. Runs it, and checks after it what holds
// after any fault.

import { expect, test } from "bun:test";
import type { ErrorCode } from "../../src/domain/errors.ts";
import type { Settings } from "../../src/domain/settings.ts";
import { ENDLESS_BYTES, type FileAnswer, file } from "./hostile-answers.ts";
import type { Answer, HostileOptions, Step } from "./hostile-server.ts";
import { type PlacedRequest, type Room, type Script, type Via, openRoom } from "./hostile-room.ts";
import { type RigRun, SMALL, eventsOf } from "./rig.ts";

/** An odd size of two requests. */
export const LONG = 9 * 1024 * 1024 + 13;
/** Of what it has read, luci holds less than this before it writes it. */
export const UNWRITTEN_BYTES = 512 * 1024;
/** Heads of answers, and what is lost when a connection is cut. */
const SLACK_BYTES = UNWRITTEN_BYTES + 256 * 1024;

export interface Row {
  readonly name: string;
  /** Each of these once; by its address with a digest unless given. */
  readonly vias?: readonly Via[];
  readonly sizeBytes?: number;
  readonly settings?: Partial<Settings>;
  readonly script?: Script;
  readonly connect?: HostileOptions["connect"];
  /** Meddles while the install runs. */
  readonly onRetry?: (room: Room, attempt: number) => void;
  readonly wants: Wants;
}

export interface Wants {
  /** How it fails; absent when it ends well. */
  readonly code?: ErrorCode | Partial<Record<Via, ErrorCode>>;
  readonly exit?: number;
  /** In the message and hint of the failure. */
  readonly words?: RegExp;
  /** In the events, as JSON. */
  readonly said?: RegExp;
  /** Requests for bytes of the file, beside the one that asks what it is. */
  readonly mostTransfers?: number;
  /** All requests, of a row that never comes to bytes. */
  readonly mostRequests?: number;
  /** Bytes that go out, in files; once unless given. */
  readonly mostTimes?: number;
  /** Bodies without an end that are given up. */
  readonly unread?: number;
  /** Bytes the next run finds after a failure. */
  readonly leastKeptBytes?: number;
  /** Which of the two versions ends up under the final name; the first unless given. */
  readonly version?: "content" | "other";
  readonly leastMs?: number;
  /** Anything else. */
  readonly also?: (room: Room, run: RigRun) => void;
}

/** Meets the first requests for bytes, each with its own answer; the rest are answered properly. */
export function inTurn(
  ...answers: readonly ((request: PlacedRequest, room: Room) => Answer | undefined)[]
): Script {
  return (request, room) => (isBytes(request) ? answers[request.turn]?.(request, room) : undefined);
}

/** Meets every request for bytes. */
export function always(answer: (request: PlacedRequest, room: Room) => Answer | undefined): Script {
  return (request, room) => (isBytes(request) ? answer(request, room) : undefined);
}

/** Meets the request that asks what the file is: of an address the first, of a hub its answer to where the file is. */
export function atFirst(answer: (request: PlacedRequest, room: Room) => Answer | undefined): Script {
  return (request, room) => (request.place === "probe" ? answer(request, room) : undefined);
}

/** Meets whatever is asked, listings too. */
export function everything(answer: (request: PlacedRequest, room: Room) => Answer | undefined): Script {
  return answer;
}

/**
 * So much of the file, and what is to come after it not before all of it is written but what luci still holds: bytes
 * that come together with an end or an error are lost with it where they are not read yet.
 */
export function cut(
  options: FileAnswer & { readonly cutBytes: number; readonly after: Answer },
): (request: PlacedRequest, room: Room) => Answer {
  return (request, room) => {
    const { sizeBytes } = room.content;
    const { startBytes, endBytes } = (options.whole ? null : request.range) ?? {
      startBytes: 0,
      endBytes: sizeBytes,
    };
    const sentBytes = Math.min(sizeBytes, endBytes, startBytes + options.cutBytes);
    const written = {
      until: () => room.writtenBytes > sentBytes - UNWRITTEN_BYTES,
      what: `${sentBytes} bytes to be written`,
    };
    return file(room.content, request, { ...options, after: andThen(written, options.after) });
  };
}

function* andThen(first: Step, rest: Answer): Generator<Step> {
  yield first;
  yield* rest;
}

function isBytes({ place }: PlacedRequest): boolean {
  return place === "file" || place === "cdn";
}

/** Declares one test for each way to the file. */
export function testRow(row: Row): void {
  for (const via of row.vias ?? ["address"]) test(`${row.name} (${via})`, () => runRow(row, via));
}

async function runRow(row: Row, via: Via): Promise<void> {
  const { sizeBytes = SMALL, wants } = row;
  await using room = await openRoom({
    via,
    sizeBytes,
    script: row.script ?? (() => undefined),
    ...(row.connect ? { connect: row.connect } : {}),
  });
  const settings = { retries: 1, stallMs: 60_000, ...row.settings };
  const startedMs = performance.now();
  const run = await room.install({
    settings,
    onEvent: (event) => {
      if (event.type === "file.retrying") row.onRetry?.(room, event.attempt);
    },
  });
  const elapsedMs = performance.now() - startedMs;
  const { finals } = await room.check({ events: JSON.stringify(run) });
  expectEnd(run, { wants, via });
  expectTraffic(room, wants);
  expect(elapsedMs).toBeGreaterThanOrEqual(wants.leastMs ?? 0);
  wants.also?.(room, run);
  if (wants.code === undefined) return await expectVersion(room, wants);
  expect(finals).toEqual([]);
  await expectMended(room, wants);
}

function expectEnd(run: RigRun, { wants, via }: { wants: Wants; via: Via }): void {
  const code = typeof wants.code === "object" ? wants.code[via] : wants.code;
  expect(run.error?.code ?? null, run.error?.message).toBe(code ?? null);
  if (wants.exit !== undefined) expect(run.error?.exit).toBe(wants.exit);
  if (wants.words) expect(JSON.stringify(run.error)).toMatch(wants.words);
  if (wants.said) expect(JSON.stringify(run.events)).toMatch(wants.said);
}

function expectTraffic(room: Room, wants: Wants): void {
  const { server, content } = room;
  const unreadBytes = (wants.unread ?? 0) * ENDLESS_BYTES;
  const mostBytes = (wants.mostTimes ?? 1) * content.sizeBytes + unreadBytes + SLACK_BYTES;
  expect(server.sentBytes(), "bytes served").toBeLessThanOrEqual(mostBytes);
  const { mostTransfers, mostRequests } = wants;
  if (mostTransfers !== undefined)
    expect(room.transfers().length, "requests for bytes").toBeLessThanOrEqual(mostTransfers);
  if (mostRequests !== undefined) expect(server.log.length, "requests").toBeLessThanOrEqual(mostRequests);
}

async function expectVersion(room: Room, { version = "content" }: Wants): Promise<void> {
  expect(await room.rig.finalSha256()).toBe(room[version].sha256);
  const { finals, journals } = await room.check({});
  expect({ finals: finals.length, journals }).toEqual({ finals: 1, journals: 0 });
}

/** The server is well again: the same command completes, and fetches no more than what is missing. */
async function expectMended(room: Room, wants: Wants): Promise<void> {
  room.heal();
  await Promise.all([room.server.up("near"), room.server.up("far")]);
  const beforeBytes = room.server.sentBytes();
  const again = await room.install({ settings: { retries: 0 } });
  await room.check({ events: JSON.stringify(again) });
  expect(again.error).toBeNull();
  expect(await room.rig.finalSha256()).toBe(room.content.sha256);
  const keptBytes = eventsOf(again, "file.started")[0]?.resumedBytes ?? 0;
  expect(keptBytes, "bytes kept").toBeGreaterThanOrEqual(wants.leastKeptBytes ?? 0);
  const againBytes = room.server.sentBytes() - beforeBytes;
  // What a source cannot vouch for begins again, and what was on its way is lost.
  const isRestarted = eventsOf(again, "file.restarted").length > 0;
  const wantedBytes = isRestarted ? 2 * room.content.sizeBytes : room.content.sizeBytes - keptBytes;
  expect(againBytes, "bytes fetched again").toBeLessThanOrEqual(wantedBytes + SLACK_BYTES);
}
