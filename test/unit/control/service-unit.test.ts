import { expect, test } from "bun:test";
import { serviceUnit } from "../../../src/control/service-unit.ts";

test("a systemd unit starts the same program with the same words", () => {
  const unit = serviceUnit("systemd", ["/opt/my tools/luci", "serve", "--dir", '/data/50%/$x "y"\\']);
  expect(unit).toContain('ExecStart="/opt/my tools/luci" serve --dir "/data/50%%/$$x \\"y\\"\\\\"\n');
});

test("a launchd agent does, too", () => {
  const agent = serviceUnit("launchd", ["/opt/luci", "serve", "--dir", "/data/<a>&b"]);
  expect(agent).toContain("<string>/opt/luci</string>\n    <string>serve</string>");
  expect(agent).toContain("<string>/data/&lt;a&gt;&amp;b</string>");
});

test("a line break cannot smuggle in a directive", () => {
  for (const manager of ["systemd", "launchd"] as const)
    expect(() => serviceUnit(manager, ["/opt/luci", "serve", "--dir", "/x\nExecStart=/bin/sh"])).toThrow(
      "control characters",
    );
});
