import { expect, test } from "bun:test";
import { serviceUnit } from "../../../src/control/service-unit.ts";

test("a systemd unit starts the same program with the same words", () => {
  const words = ["/opt/my tools/luci", "serve", "--dir", '/data/50%/$x "y"\\'];
  const unit = serviceUnit("systemd", { words, environment: new Map() });
  expect(unit).toContain('ExecStart="/opt/my tools/luci" serve --dir "/data/50%%/$$x \\"y\\"\\\\"\n');
});

test("a launchd agent does, too", () => {
  const words = ["/opt/luci", "serve", "--dir", "/data/<a>&b"];
  const agent = serviceUnit("launchd", { words, environment: new Map() });
  expect(agent).toContain("<string>/opt/luci</string>\n    <string>serve</string>");
  expect(agent).toContain("<string>/data/&lt;a&gt;&amp;b</string>");
});

test("a line break cannot smuggle in a directive", () => {
  const evil = "/x\nExecStart=/bin/sh";
  const services = [
    { words: ["/opt/luci", "serve", "--dir", evil], environment: new Map() },
    { words: ["/opt/luci", "serve"], environment: new Map([["LUCI_HOME", evil]]) },
  ];
  for (const manager of ["systemd", "launchd"] as const)
    for (const service of services) expect(() => serviceUnit(manager, service)).toThrow("control characters");
});

test("both are started with the same variables", () => {
  const service = {
    words: ["/opt/luci", "serve"],
    environment: new Map([
      ["LUCI_HOME", "/data/a b/50%/$x"],
      ["HF_ENDPOINT", "https://hub.example/<a>"],
    ]),
  };
  expect(serviceUnit("systemd", service)).toContain(
    'Type=exec\nEnvironment="LUCI_HOME=/data/a b/50%%/$x"\nEnvironment="HF_ENDPOINT=https://hub.example/<a>"\nExecStart=',
  );
  expect(serviceUnit("launchd", service)).toContain(
    "<key>EnvironmentVariables</key>\n  <dict>\n    <key>LUCI_HOME</key>\n    <string>/data/a b/50%/$x</string>\n" +
      "    <key>HF_ENDPOINT</key>\n    <string>https://hub.example/&lt;a&gt;</string>\n  </dict>\n",
  );
});
