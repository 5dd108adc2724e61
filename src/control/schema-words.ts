// What is wrong with a request's body, in words of our own: a schema library's are for programmers.

import type * as v from "valibot";
import { shorten } from "../domain/text.ts";

const LONGEST_FIELD = 80;
const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  boolean: "true or false",
  Array: "a list",
  Object: "an object",
};
/** How the library begins every sentence that is not ours. */
const NOT_OURS = /^Invalid /;

/** One issue as a sentence; `field` is where it stands, empty for the body as a whole. */
export function faultOf(issue: v.BaseIssue<unknown>, field: string): string {
  if (field === "") return NOT_OURS.test(issue.message) ? "The body is not a JSON object" : issue.message;
  const name = `\`${shorten(field, LONGEST_FIELD)}\``;
  if (isObject(issue) && issue.expected === "never") return `${name} is not a field of this`;
  if (issue.received === "undefined") return `${name} is missing`;
  if (!NOT_OURS.test(issue.message)) return `${name}: ${issue.message}`;
  return `${name} ${wishOf(issue)}`;
}

function isObject({ type }: v.BaseIssue<unknown>): boolean {
  return type === "strict_object";
}

/** What the field should have been. */
function wishOf({ type, requirement, expected, input }: v.BaseIssue<unknown>): string {
  if (type === "integer") return "must be a whole number";
  if (type === "min_value") return `must be at least ${String(requirement)}`;
  if (type === "max_value") return `must be at most ${String(requirement)}`;
  const isList = Array.isArray(input);
  if (type === "min_length") return isList ? "must name at least one" : "must not be empty";
  if (type === "max_length")
    return isList
      ? `must name at most ${String(requirement)}`
      : `must be at most ${String(requirement)} characters long`;
  const alternatives = (expected ?? "").replace(/^\(|\)$/g, "").split(" | ");
  const words = alternatives.map((one) => KINDS[one] ?? one.replace(/^"|"$/g, ""));
  return `must be ${words.join(" or ")}`;
}
