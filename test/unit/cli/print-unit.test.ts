// What of a terminal's words and surroundings a service is started with.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { serveCommand } from "../../../src/cli/serve.ts";
import { runCommand } from "../../support/cli-front.ts";
import { tempHome } from "../../support/temp-home.ts";

const notices: string[] = [];

/** The printed unit, under these variables. */
async function unitWith(variables: Readonly<Record<string, string>>, argv: readonly string[]) {
  const before = new Map(Object.keys(variables).map((name) => [name, process.env[name]]));
  Object.assign(process.env, variables);
  try {
    const { result } = await runCommand(serveCommand, ["--print-unit", "systemd", ...argv], {
      emit: (event) => void (event.type === "notice" && notices.push(event.message)),
    });
    return (result as unknown as { text: string }).text;
  } finally {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
}

test("variables that say where things are go along, secrets do not", async () => {
  await using home = await tempHome();
  const catalog = join(home.path, "c.json");
  await writeFile(catalog, "{}");
  const unit = await unitWith(
    {
      LUCI_HOME: home.path,
      LUCI_MODELS: "models here",
      LUCI_CATALOG: catalog,
      HF_ENDPOINT: "https://hub.example/",
      LUCI_LIMIT_RATE: "5M",
      HF_TOKEN: "hf_secret",
      HF_TOKEN_PATH: "token",
    },
    [],
  );
  const lines = unit.split("\n");
  expect(lines).toContain(`Environment=LUCI_HOME=${home.path}`);
  expect(lines).toContain(`Environment="LUCI_MODELS=${join(process.cwd(), "models here")}"`);
  expect(lines).toContain(`Environment=LUCI_CATALOG=${catalog}`);
  expect(lines).toContain("Environment=HF_ENDPOINT=https://hub.example/");
  expect(lines).toContain("Environment=LUCI_LIMIT_RATE=5M");
  expect(lines).toContain(`Environment=HF_TOKEN_PATH=${join(process.cwd(), "token")}`);
  expect(unit).not.toContain("hf_secret");
  expect(notices.splice(0)).toEqual([expect.stringContaining("HF_TOKEN is a secret and not part of this")]);
});

test("flags for a full disk and for certificates are the service's, too", async () => {
  await using home = await tempHome();
  const argv = ["--disk-wait", "5m", "--ca-file", "x.pem", "--token-file", "t", "--dir", "m"];
  const unit = await unitWith({ LUCI_HOME: home.path }, argv);
  const at = (name: string): string => join(process.cwd(), name);
  expect(unit).toContain(
    ` serve --token-file ${at("t")} --dir ${at("m")} --disk-wait 5m --ca-file ${at("x.pem")}\n`,
  );
});

test("a setting that the service would refuse is refused now, and not repeated", async () => {
  await using home = await tempHome();
  const HF_ENDPOINT = "https://me:hunter2@hub.example";
  await expect(unitWith({ LUCI_HOME: home.path, HF_ENDPOINT }, [])).rejects.toMatchObject({
    code: "E_CONFIG",
    message: expect.not.stringContaining("hunter2"),
  });
});
