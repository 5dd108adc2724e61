// One fault from its beginning to its end: a hostile server with a proper answer to everything the fault does not
// touch, an install through it, another one once the server is well again, and every check that holds after any fault.

import { readdir } from "node:fs/promises";
import { basename } from "node:path";
import type { Content } from "../../src/demo/content.ts";
import { makeGguf } from "../../src/demo/gguf-writer.ts";
import { file, head, json, text } from "./hostile-answers.ts";
import {
  type Answer,
  type HostileOptions,
  type HostileRequest,
  type HostileServer,
  hostileServer,
} from "./hostile-server.ts";
import { isHomeFile } from "./home-files.ts";
import { checkInvariants } from "./invariants.ts";
import { type Rig, type RigRun, type RunOptions, modelContent, openRig } from "./rig.ts";
import { type Secret, checkNoLeaks } from "./token-search.ts";

/** How luci comes to the file: by its address with a digest, by its address alone, or through a hub. */
export type Via = "address" | "bare" | "hub";

/** What a request is for. */
export type Place = "api" | "resolve" | "probe" | "file" | "cdn" | "other";

/** A request with its place and how many of that place came before it. */
export interface PlacedRequest extends HostileRequest {
  readonly place: Place;
  readonly turn: number;
}

/** What to answer instead of the proper thing; undefined for the proper thing. */
export type Script = (request: PlacedRequest, room: Room) => Answer | undefined;

const FILE_NAME = "m-Q4_0.gguf";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const TOKEN = "hf_SECRETsecretSECRETsecret0123456789";
/** In the query of the address that is typed. */
const TYPED = "typedSECRETtyped0123456789";
/** At the head of every signature that the hub hands out. */
const SIGNED = "signedSECRETsigned0123456789";

export interface RoomOptions {
  readonly via: Via;
  readonly sizeBytes: number;
  readonly script: Script;
  readonly connect?: HostileOptions["connect"];
}

/** A hostile server, an empty home, and two versions of one file. */
export interface Room extends AsyncDisposable {
  readonly rig: Rig;
  readonly server: HostileServer;
  readonly content: Content;
  /** As long as the first, and other bytes. */
  readonly other: Content;
  /** What to type. */
  readonly ref: string;
  /** How much of the file the install under way has written, as far as it told. */
  readonly writtenBytes: number;
  /** From now on every answer is proper; the counters begin again. */
  heal(): void;
  /** A fresh signed address at the far side. */
  sign(): string;
  /** Requests for bytes of the file, without the one that only asks what it is. */
  transfers(): readonly PlacedRequest[];
  install(options?: RunOptions): Promise<RigRun>;
  /** Everything that holds after any fault. @throws Error when it does not */
  check(said: Readonly<Record<string, string>>): Promise<{ finals: readonly string[]; journals: number }>;
  /** What the process must be told for the same. */
  readonly environment: Readonly<Record<string, string>>;
}

export async function openRoom(options: RoomOptions): Promise<Room> {
  const { via, sizeBytes } = options;
  const content = await modelContent(sizeBytes);
  const other = await otherContent(sizeBytes);
  const rig = await openRig(1024 * 1024);
  const placed: PlacedRequest[] = [];
  const state = { isWell: false, links: 0, from: 0, writtenBytes: 0 };
  const server = await hostileServer({
    answer: (request) => {
      const place = placeOf(request);
      const turn = placed.slice(state.from).filter((one) => one.place === place).length;
      const one = { ...request, place, turn };
      placed.push(one);
      const spoiled = state.isWell ? undefined : options.script(one, room);
      return spoiled ?? proper(one, room);
    },
    ...(options.connect
      ? { connect: (side, count) => (state.isWell ? undefined : options.connect?.(side, count)) }
      : {}),
  });
  const settings = { hubEndpoint: server.near, hubToken: TOKEN, connections: 1 };
  const room: Room = {
    rig,
    server,
    content,
    other,
    ref: refOf(via, { near: server.near, sha256: content.sha256 }),
    get writtenBytes() {
      return state.writtenBytes;
    },
    heal: () => Object.assign(state, { isWell: true, from: placed.length }),
    sign: () =>
      `${server.far}/blob/${content.sha256}?X-Amz-Expires=60&X-Amz-Signature=${SIGNED}${state.links++}`,
    transfers: () => placed.filter(({ place }) => place === "file" || place === "cdn"),
    install: (run = {}) => {
      state.writtenBytes = 0;
      return rig.install({
        ...run,
        refs: [room.ref],
        settings: { ...settings, ...run.settings },
        onEvent: (event) => {
          if (event.type === "file.progress") state.writtenBytes = event.doneBytes;
          run.onEvent?.(event);
        },
      });
    },
    check: (said) => check(room, { via, said }),
    environment: { HF_ENDPOINT: server.near, HF_TOKEN: TOKEN },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await rig[Symbol.asyncDispose]();
    },
  };
  return room;
}

const others = new Map<number, Promise<Content>>();

function otherContent(sizeBytes: number): Promise<Content> {
  const known = others.get(sizeBytes) ?? makeOther(sizeBytes);
  others.set(sizeBytes, known);
  return known;
}

async function makeOther(sizeBytes: number): Promise<Content> {
  const made = await makeGguf({ name: "m", sizeBytes, seed: sizeBytes + 1 });
  const bytes = Uint8Array.from(made.read(0, sizeBytes));
  return { sizeBytes, sha256: made.sha256, read: (start, end) => bytes.subarray(start, end) };
}

function refOf(via: Via, { near, sha256 }: { near: string; sha256: string }): string {
  if (via === "hub") return "hf:org/m:Q4_0";
  const url = `${near}/${FILE_NAME}?access_token=${TYPED}`;
  return via === "bare" ? url : `${url}#sha256=${sha256}`;
}

function placeOf({ side, target, range }: HostileRequest): Place {
  const path = target.replace(/\?.*$/s, "");
  if (side === "far") return "cdn";
  if (path.startsWith("/api/")) return "api";
  if (path.includes("/resolve/")) return "resolve";
  if (path !== `/${FILE_NAME}`) return "other";
  return range?.startBytes === 0 && range.endBytes === 1 ? "probe" : "file";
}

function proper(request: PlacedRequest, room: Room): Answer {
  const { content } = room;
  if (request.place === "api") {
    if (request.target.includes("/revision/")) return json({ sha: COMMIT, gated: false });
    const lfs = { oid: content.sha256, size: content.sizeBytes, pointerSize: 135 };
    return json([{ type: "file", path: FILE_NAME, oid: COMMIT, size: content.sizeBytes, lfs }]);
  }
  if (request.place === "resolve") return resolveTo(room, room.sign());
  if (request.place === "other") return text(404, "no");
  return file(content, request);
}

/** The hub's own answer: where the bytes are, and what they are. */
export function resolveTo(room: Room, location: string, headers: Record<string, string> = {}): Answer {
  const { sha256, sizeBytes } = room.content;
  const linked = { "X-Linked-Etag": `"${sha256}"`, "X-Linked-Size": sizeBytes, "X-Repo-Commit": COMMIT };
  return [head(302, { Location: location, "Content-Length": 0, ...linked, ...headers })];
}

async function check(
  room: Room,
  { via, said }: { via: Via; said: Readonly<Record<string, string>> },
): Promise<{ finals: readonly string[]; journals: number }> {
  const { rig, server } = room;
  const versions = via === "bare" ? [room.content, room.other] : [room.content];
  const known = new Map(versions.map((content, index) => [`org/m${index}`, content]));
  const { finals, journals, models } = await checkInvariants(rig.models, {
    repoNames: () => [...known.keys()],
    filesOf: (repo) => {
      const content = known.get(repo) ?? room.content;
      return new Map([[FILE_NAME, { path: FILE_NAME, content, oid: COMMIT, pointer: null }]]);
    },
  });
  if (models.length !== finals.length) throw new Error(`${finals.join()} without a record, or the reverse`);
  const strays = (await readdir(rig.home)).filter(
    (name) => name !== basename(rig.models) && !isHomeFile(name),
  );
  if (strays.length > 0) throw new Error(`outside the models folder: ${strays.join()}`);
  await checkNoLeaks(secretsOf(via), {
    requests: server.log,
    folder: rig.home,
    said,
  });
  return { finals, journals };
}

function secretsOf(via: Via): Secret[] {
  return [
    { name: "the hub's token", text: TOKEN, mayHear: ({ side }) => via === "hub" && side === "near" },
    { name: "the signed query", text: SIGNED, mayHear: ({ side }) => side === "far" },
    { name: "the typed query", text: TYPED, mayHear: ({ side }) => side === "near" },
  ];
}
