// What one luci makes of another one's answers.

import { expect, test } from "bun:test";
import { findPeers } from "../../../src/control/client.ts";
import { Problem, problemResponse } from "../../../src/control/problem.ts";
import { endedProblem } from "../../../src/control/run-jobs.ts";
import type { Job } from "../../../src/domain/job.ts";
import { LuciError } from "../../../src/domain/errors.ts";
import { nodeFiles } from "../../../src/platform/node-files.ts";
import { openPeer } from "../../support/local-peer.ts";
import { tempHome } from "../../support/temp-home.ts";

/** The error that an answer becomes. */
async function errorFor(answer: () => Response): Promise<LuciError> {
  await using home = await tempHome();
  await using there = await openPeer({ homeFolder: home.path, pid: 4_321, answer });
  const { signal } = new AbortController();
  const [peer] = await findPeers({
    homeFolder: home.path,
    files: nodeFiles(),
    signal,
    onSilent: (message) => {
      throw new Error(message);
    },
  });
  const thrown = await peer!
    .ask({ method: "POST", path: "/v1/x", body: {} })
    .catch((error: unknown) => error);
  expect(there.asked).toHaveLength(1);
  expect(thrown).toBeInstanceOf(LuciError);
  return thrown as LuciError;
}

const missing = new Problem({ status: 404, code: "E_NOT_FOUND", detail: "d", hint: "h" });
const ended = endedProblem({ model: "mistral", state: "done" } as Job);

test.each<[thrown: Error, code: string, exit: number]>([
  [new LuciError("E_NO_SPACE", "d", { hint: "h" }), "E_NO_SPACE", 8],
  [new LuciError("E_LOCKED", "d", { hint: "h" }), "E_LOCKED", 9],
  [new LuciError("E_AUTH", "d", { hint: "h" }), "E_AUTH", 6],
  [new LuciError("E_USAGE", "d", { hint: "h" }), "E_USAGE", 2],
  [missing, "E_NOT_FOUND", 7],
  [ended, "E_NOT_FOUND", 7],
])("a refusal keeps its code (%#)", async (thrown, code, exit) => {
  const error = await errorFor(() => problemResponse(thrown));
  expect({ code: error.code, exit: error.exit } as object).toEqual({ code, exit });
  if (thrown !== ended) expect([error.message, error.hint]).toEqual(["d", "h"]);
});

test("a bug over there is told without a stack of this side", async () => {
  const error = await errorFor(() => problemResponse(new TypeError("broken")));
  expect([error.code, error.exit, error.message, error.stack]).toEqual([
    "E_INTERNAL",
    1,
    "broken",
    undefined,
  ]);
});

test.each([
  () => Response.json({ error: "no" }, { status: 404 }),
  () => Response.json({ code: "E_ELSE", detail: "d", hint: "h" }, { status: 400 }),
  () => Response.json("no", { status: 500 }),
  () => new Response("Internal Server Error\n", { status: 500 }),
])("an answer of another shape is told in words (%#)", async (answer) => {
  const error = await errorFor(answer);
  expect([error.code, error.exit]).toEqual(["E_NETWORK", 5]);
  expect(error.message).toStartWith("A running luci ");
});
