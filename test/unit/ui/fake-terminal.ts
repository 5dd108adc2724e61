// Streams that a test can look at: a plain one that keeps its text, and a small terminal that keeps a screen.

import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import type { LuciEvent, LuciEventBody } from "../../../src/domain/events.ts";
import type { CommandResult } from "../../../src/domain/results.ts";
import { createBars } from "../../../src/ui/bars.ts";
import { createFace } from "../../../src/ui/face.ts";
import type { Face, FaceOptions } from "../../../src/ui/face-types.ts";

/** A stream that keeps what was written to it. */
export class FakeStream extends Writable {
  text = "";
  readonly isTTY: boolean;
  columns?: number;
  rows?: number;

  constructor(size?: { readonly columns: number; readonly rows: number }) {
    super({ decodeStrings: false });
    this.isTTY = size !== undefined;
    if (size !== undefined) Object.assign(this, size);
  }

  override _write(chunk: string, _encoding: string, callback: () => void): void {
    this.text += chunk;
    callback();
  }

  /** What a person sees: every line ever scrolled or drawn, after all cursor moves. Knows what log-update sends. */
  screen(): string {
    const lines = [""];
    let row = 0;
    // oxlint-disable-next-line no-control-regex -- control sequences are what it is about
    const tokens = /\u001B\[(\??)(\d*)([A-Za-z])|\n|\r|[^\u001B\n\r]+/g;
    for (const [token, , amount = "", command] of this.text.matchAll(tokens)) {
      if (token === "\n") row += 1;
      else if (command === "A") row -= Number(amount || 1);
      else if (command === "B") row += Number(amount || 1);
      else if (command === "K" && amount === "2") lines[row] = "";
      else if (command === "J") lines.splice(row);
      else if (command === undefined && token !== "\r") lines[row] = `${lines[row] ?? ""}${token}`;
      lines[row] ??= "";
    }
    return stripVTControlCharacters(lines.join("\n")).trimEnd();
  }
}

export interface Stage {
  readonly face: Face;
  readonly stdout: FakeStream;
  readonly stderr: FakeStream;
  /** Emits events at the given moments (milliseconds). */
  play(events: readonly (readonly [number, LuciEventBody])[]): void;
}

/** A face before an audience of fake streams; piped, without colour and 60 columns wide unless said otherwise. */
export function createStage(options: Partial<FaceOptions> = {}): Stage {
  const stdout = new FakeStream();
  const stderr = new FakeStream();
  const face = createFace({
    stdout,
    stderr,
    json: false,
    quiet: false,
    color: false,
    isTTY: false,
    createBars,
    columns: 60,
    ...options,
  });
  let seq = 0;
  return {
    face,
    stdout,
    stderr,
    play(events) {
      for (const [atMs, body] of events) face.emit(eventOf(body, { atMs, seq: (seq += 1) }));
    },
  };
}

/** What a person gets to see of a result: standard output, standard error. */
export function show(result: CommandResult): readonly [data: string, words: string] {
  const { stdout, stderr, play } = createStage();
  play([[0, { type: "result", result }]]);
  return [stdout.text, stderr.text];
}

/** A whole event around a payload. */
export function eventOf(
  body: LuciEventBody,
  { atMs = 0, seq = 0 }: { atMs?: number; seq?: number } = {},
): LuciEvent {
  return { v: 1, seq, atMs, ...body };
}

/** Lines as one text, for comparing whole outputs. */
export function text(...lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}
