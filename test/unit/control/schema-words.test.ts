import { expect, test } from "bun:test";
import * as v from "valibot";
import { faultOf } from "../../../src/control/schema-words.ts";

const BODY = v.strictObject({
  refs: v.optional(
    v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(3))), v.minLength(1), v.maxLength(2)),
  ),
  ref: v.string(),
  partials: v.optional(v.nullable(v.picklist(["resume", "delete"]))),
  unsafe: v.optional(v.boolean()),
  own: v.optional(v.union([v.literal("x"), v.literal("z")], "expected x or z")),
  number: v.optional(v.pipe(v.number(), v.integer(), v.minValue(-1), v.maxValue(1))),
});

test.each([
  [null, "The body is not a JSON object"],
  [{}, "`ref` is missing"],
  [{ ref: "a", foo: 1 }, "`foo` is not a field of this"],
  [{ ref: "a", refs: [] }, "`refs` must name at least one"],
  [{ ref: "a", refs: ["a", "b", "c"] }, "`refs` must name at most 2"],
  [{ ref: "a", refs: [""] }, "`refs.0` must not be empty"],
  [{ ref: "a", refs: ["long"] }, "`refs.0` must be at most 3 characters long"],
  [{ ref: 3 }, "`ref` must be a text"],
  [{ ref: "a", refs: "a" }, "`refs` must be a list"],
  [{ ref: "a", partials: "keep" }, "`partials` must be resume or delete"],
  [{ ref: "a", unsafe: "yes" }, "`unsafe` must be true or false"],
  [{ ref: "a", own: "y" }, "`own`: expected x or z"],
  [{ ref: "a", number: 0.5 }, "`number` must be a whole number"],
  [{ ref: "a", number: 2 }, "`number` must be at most 1"],
  [{ ref: "a", number: -2 }, "`number` must be at least -1"],
])("%j: %s", (body, words) => {
  const [issue] = v.safeParse(BODY, body).issues ?? [];
  if (!issue) throw new Error("it was taken");
  expect(faultOf(issue, v.getDotPath(issue) ?? "")).toBe(words);
});
