import { expect, test } from "bun:test";
import { jobRoutes } from "../../../src/control/api.ts";
import { downloadRoutes } from "../../../src/control/download-routes.ts";
import { historyRoutes } from "../../../src/control/history-routes.ts";
import { modelRoutes } from "../../../src/control/model-routes.ts";
import { openapiRoutes } from "../../../src/control/openapi-routes.ts";
import { roomRoutes } from "../../../src/control/room-routes.ts";
import { breachesOf, describedOperations } from "../../support/api-check.ts";

test("every route is described, and nothing else is", () => {
  // Routes are only listed here: what they work with is not touched.
  const nothing = {} as never;
  const routes = [
    ...jobRoutes({ jobs: nothing, feed: nothing, version: "1", pid: 1, role: "serve" }),
    ...downloadRoutes({ queue: nothing, context: nothing }),
    ...modelRoutes({ context: nothing, begin: nothing }),
    ...roomRoutes({ context: nothing, list: () => [] }),
    ...historyRoutes(nothing),
    ...openapiRoutes("1"),
  ];
  const listed = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
  expect(describedOperations().toSorted()).toEqual(listed.toSorted());
});

test("an answer that does not fit is noticed", () => {
  const health = { status: "ok", version: "1", pid: 1, role: "serve" };
  const answer = {
    method: "GET",
    path: "/v1/health?x",
    status: 200,
    contentType: "application/json",
    data: health,
  };
  expect(breachesOf(answer)).toEqual([]);
  for (const wrong of [
    { status: 201 },
    { contentType: "text/plain" },
    { path: "/v1/healthy" },
    { data: { ...health, pid: "1" } },
    { data: { ...health, more: 1 } },
  ])
    expect([wrong, breachesOf({ ...answer, ...wrong })]).toEqual([wrong, [expect.any(String)]]);
});
