// luci's one face to the world: takes events and errors, decides who hears them and how.
// The only room that prints. It never ends the process and never cuts what it prints.

import { reportError } from "../domain/errors.ts";
import type { Face, FaceOptions } from "./face-types.ts";
import { createHuman } from "./human.ts";
import { createNdjson } from "./ndjson.ts";
import { createOutput } from "./output.ts";

/** The face that fits: JSON for programs; bars, lines or quiet for people. */
export function createFace(options: FaceOptions): Face {
  const stdout = createOutput(options.stdout, options.onReaderGone);
  const stderr = createOutput(options.stderr);
  const human = createHuman({
    ...options,
    outputs: { stdout, stderr },
    quiet: options.quiet || options.json,
  });
  const { emit, error } = options.json ? createNdjson({ stdout, stderr }) : human;
  return {
    emit,
    error,
    ask: human.ask,
    async close() {
      human.stop();
      try {
        await stdout.flush();
      } catch (failure) {
        error(reportError(failure));
        throw failure;
      } finally {
        await stderr.flush().catch(() => {}); // there is nowhere left to say it
      }
    },
  };
}
