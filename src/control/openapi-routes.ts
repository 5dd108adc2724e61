// The description of the API, as OpenAPI 3.1, for programs and people.

import document from "./openapi.json" with { type: "json" };
import { type Route, json } from "./router.ts";

/** Where a daemon describes itself. */
export function openapiRoutes(version: string): Route[] {
  const described = { ...document, info: { ...document.info, version } };
  return [{ method: "GET", path: "/openapi.json", handle: () => json(described) }];
}
