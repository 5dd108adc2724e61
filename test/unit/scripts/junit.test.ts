// What is read of a report of `bun test`.

import { expect, test } from "bun:test";
import { countTests, nameFailures } from "../../../scripts/junit.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="5" assertions="9" failures="2" skipped="1" time="0.2">
  <testsuite name="test/a.test.ts" file="test/a.test.ts" tests="5" failures="2" skipped="1" time="0.2">
    <testcase name="good" classname="" time="0.1" file="test/a.test.ts" line="3" assertions="1" />
    <testcase name="with &lt;this&gt; &amp;&#10;that" classname="a &quot;group&quot;" file="test/a.test.ts" line="9">
      <failure type="AssertionError" message="expect(1).toBe(2)&#10;&#10;- 2&#10;&#x2B; 1">much more</failure>
    </testcase>
    <testcase name="left out" classname="" file="test/a.test.ts" line="12">
      <skipped />
    </testcase>
    <testcase name="slow" classname="" file="test/a.test.ts" line="15">
      <failure type="TimeoutError" message="test timed out" />
    </testcase>
    <testcase name="long" classname="" file="test/a.test.ts" line="20" />
  </testsuite>
</testsuites>`;

test("counts what passed, failed and was left out", () => {
  expect(countTests(REPORT)).toEqual({ passed: 2, failed: 2, skipped: 1 });
  expect(countTests("")).toEqual({ passed: 0, failed: 0, skipped: 0 });
});

test("names what failed, and nothing else, in plain letters", () => {
  expect(nameFailures(REPORT)).toEqual([
    'test/a.test.ts:9: a "group" > with <this> & that\n    expect(1).toBe(2)\n    - 2\n    + 1',
    "test/a.test.ts:15: slow\n    test timed out",
  ]);
});

test("a long message is cut, in its lines and in their number", () => {
  const message = Array.from({ length: 40 }, () => "m".repeat(1000)).join("&#10;");
  const [failure = ""] = nameFailures(REPORT.replace("test timed out", message)).slice(1);
  const lines = failure.split("\n");
  expect(lines.length).toBe(8);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(410);
});
