// The demo with the luci that was built, on a machine that has other things to do.

import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { runDemo } from "../../src/demo/demo.ts";
import { luciBinary } from "../support/run-luci.ts";
import { tempHome } from "../support/temp-home.ts";

/** Runs a program as it is, but that it has no turn for a while: when an install has begun to write, and at Ctrl-C. */
const HELD_UP = `
  "$@" & luci=$!
  hold() { kill -STOP $luci; sleep 1.5; kill -CONT $luci; }
  trap 'kill -STOP $luci; kill -INT $luci; hold' INT
  writes() {
    until ls "$LUCI_MODELS"/.luci/v1/partials/*.part; do kill -0 $luci || return; sleep 0.02; done
  }
  { [ "$3" = demo-large ] && writes && hold; } >/dev/null 2>&1 </dev/null &
  wait $luci; code=$?
  while kill -0 $luci 2>/dev/null; do wait $luci; code=$?; done
  exit $code
`;

test("shows what it promises, however busy the machine is", async () => {
  await using folder = await tempHome();
  const { steps } = await runDemo({
    executable: ["/bin/sh", "-c", HELD_UP, "sh", luciBinary()],
    say: () => undefined,
    signal: new AbortController().signal,
    temporaryFolder: folder.path,
  });
  expect(steps.filter(({ ok }) => !ok)).toEqual([]);
  expect(steps).toHaveLength(8);
  expect(await readdir(folder.path)).toEqual([]);
});
