// Holds every answer of a daemon against its own description: the status is one that is listed, the body has the
// shape that is promised for it.

import Ajv2020, { type ValidateFunction } from "ajv/dist/2020.js";
import document from "../../src/control/openapi.json" with { type: "json" };

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

const ajv = new Ajv2020({ strict: false, formats: { "date-time": true } });
ajv.addSchema(document, "api");
const validators = new Map<string, ValidateFunction>();

export interface Answer {
  readonly method: string;
  /** With or without its query. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string | null;
  readonly data: unknown;
}

/** What does not fit the description, as sentences. */
export function breachesOf({ method, path, status, contentType, data }: Answer): string[] {
  const place = `${method} ${path} → ${status}`;
  const schema = schemaPointer({ method, path, status, contentType });
  if (schema === null) return [`${place} (${contentType}) is not described`];
  const validate = validators.get(schema) ?? ajv.compile({ $ref: `api#${schema}` });
  validators.set(schema, validate);
  if (validate(data)) return [];
  return [`${place}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(data)?.slice(0, 500)}`];
}

/** The operations that are described: `GET /v1/health`. */
export function describedOperations(): string[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((key) => key !== "parameters")
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
}

function schemaPointer({ method, path, status, contentType }: Omit<Answer, "data">): string | null {
  const template = Object.keys(document.paths).find((known) => fits(known, path.replace(/\?.*$/s, "")));
  const item =
    template === undefined
      ? null
      : (document.paths as unknown as Record<string, Record<string, Operation>>)[template];
  const operation = item?.[method.toLowerCase()];
  const type = contentType?.split(";")[0] ?? "";
  const isProblem = type === "application/problem+json" && status >= 400;
  // An address or method that is not there has no description: the problem's shape is promised everywhere.
  if (!operation) return isProblem ? "/components/schemas/Problem" : null;
  const key = operation.responses[String(status)] ? String(status) : isProblem ? "default" : null;
  if (key === null || !operation.responses[key]?.content?.[type]) return null;
  const parts = ["paths", template ?? "", method.toLowerCase(), "responses", key, "content", type, "schema"];
  return parts
    .map((part) => `/${encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))}`)
    .join("");
}

function fits(template: string, path: string): boolean {
  const wanted = template.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length && wanted.every((part, at) => part.startsWith("{") || part === given[at])
  );
}
