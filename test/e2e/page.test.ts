// The page of `luci serve` in a real browser, used as a person would. What counts is what the hub and the disk saw.
// needs: chromium (chromium)

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Job } from "../../src/domain/job.ts";
import { hasBrowser } from "../support/browser.ts";
import { checkInvariants } from "../support/invariants.ts";
import { fileServer, sendBytes } from "../support/file-server.ts";
import { openPageStage, type PageStage } from "../support/page-stage.ts";
import { fileBytes, filesBelow, finalsBelow } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
/** Of a file on the hub. */
const FILE_BYTES = SIZE + 13;

let on: PageStage;

describe.skipIf(!hasBrowser())("the page", () => {
  beforeAll(async () => {
    on = await openPageStage({ sizeBytes: SIZE });
  });
  beforeEach(() => on.begin());
  afterEach(() => on.end());
  afterAll(() => on[Symbol.asyncDispose]());

  /** A button of the page, by the name a screen reader says. */
  const button = (name: string) => on.page.getByRole("button", { name, exact: true });
  const onlyJob = async (): Promise<Job> => (await on.serve.jobs())[0]!;

  /** One download that got somewhere and will not end before somebody lets it. */
  async function startSlowly(): Promise<void> {
    on.stage.hub.behave({ rateBytesPerSec: MIB });
    await button("Install alpha").click();
    await until("bytes are sent", () => fileBytes(on.stage.hub) > 1.5 * MIB);
    on.stage.hub.behave({ rateBytesPerSec: MIB / 64 });
    await until("they arrive", async () =>
      (await on.serve.jobs()).some(({ doneBytes }) => doneBytes > MIB / 2),
    );
  }

  async function installAlpha(): Promise<void> {
    await button("Install alpha").click();
    await on.row("models", "alpha").waitFor();
  }

  test("installs from the catalog; paused it asks the hub for nothing, resumed it goes on", async () => {
    await on.open();
    expect(await on.row("install", "alpha").textContent()).toContain("8.39 MB");
    expect(await on.page.locator("#install-figures").textContent()).toMatch(/^[\d.]+ [MGT]B free$/);
    await startSlowly();
    const row = on.row("downloads", "alpha");
    await row.getByText("Downloading").waitFor();
    expect(await on.row("install", "alpha").getByText("On its way").isVisible()).toBe(true);
    const bar = on.page.getByRole("progressbar", { name: "Progress of alpha" });
    await until("the bar moves", async () => Number(await bar.getAttribute("value")) > 15);
    expect(await row.locator(".figures").first().textContent()).toMatch(/^\d+ % · [\d.]+ MB of 8\.39 MB/);
    await until("the graph rises", async () => {
      const words = await on.page.getByRole("img", { name: /^Speed over/ }).getAttribute("aria-label");
      return /now [\d.]+ [kM]B\/s, at most [\d.]+ [kM]B\/s$/.test(words ?? "");
    });
    await button("Pause alpha").click();
    await row.getByText("Paused").waitFor();
    const served = (): number[] => [on.stage.hub.log().length, fileBytes(on.stage.hub)];
    await until("the hub is left alone", async () => {
      const before = served();
      await Bun.sleep(500);
      return Bun.deepEquals(served(), before);
    });
    const before = served();
    await Bun.sleep(1_200);
    expect(served()).toEqual(before);
    on.stage.hub.behave({ rateBytesPerSec: null });
    await button("Resume alpha").click();
    await on.row("models", "alpha").waitFor();
    await on.row("install", "alpha").getByText("Installed").waitFor();
    await on.row("history", "alpha").getByText("Installed").waitFor();
    expect(await on.page.getByText("Nothing is on its way.").isVisible()).toBe(true);
    expect(await on.page.getByRole("status").textContent()).toBe("alpha: Installed");
    // What was on the way when it was paused is asked for again: a few connections' worth of buffers.
    expect(fileBytes(on.stage.hub)).toBeLessThan(FILE_BYTES + 2 * MIB);
    await checkInvariants(on.stage.models, on.stage.hub);
  });

  test("sets priority and limit of one download, and cancels it with or without its bytes", async () => {
    await on.open();
    await startSlowly();
    await on.page.getByRole("combobox", { name: "Priority of alpha" }).selectOption("High priority");
    await until("the priority is set", async () => (await onlyJob()).priority === 10);
    await button("Limit alpha").click();
    await on.page.getByLabel("Bytes per second").fill("fast");
    await button("Set the limit").click();
    const dialog = on.page.getByRole("dialog", { name: "Limit alpha" });
    await dialog.getByText('Not a size: "fast". Sizes look like 20M, 500kB or 1.5GiB.').waitFor();
    await on.page.getByLabel("Bytes per second").fill("300k");
    await on.page.keyboard.press("Enter");
    await dialog.waitFor({ state: "hidden" });
    await until("the limit is set", async () => (await onlyJob()).limitBytesPerSec === 300_000);
    await on.row("downloads", "alpha").getByText("limit 300 kB/s").waitFor();
    await button("Limit alpha").click();
    expect(await on.page.getByLabel("Bytes per second").inputValue()).toBe("300k");
    await button("No limit").click();
    await until("the limit is gone", async () => (await onlyJob()).limitBytesPerSec === null);
    await button("Cancel alpha").click();
    await button("Go on").click();
    // Between two requests nothing runs.
    await until("it goes on", async () => (await onlyJob()).state === "running");
    await button("Cancel alpha").click();
    await button("Cancel, keep what arrived").click();
    await on.row("history", "alpha").getByText("Cancelled").waitFor();
    expect((await filesBelow(on.stage.partials)).length).toBeGreaterThan(0);
    await button("Install alpha").click();
    await button("Cancel alpha").click();
    await button("Cancel, delete it").click();
    await until("nothing is left", async () => (await filesBelow(on.stage.partials)).length === 0);
    expect(await finalsBelow(on.stage.models)).toEqual([]);
  });

  test("sets the limit of everything together, and sees when somebody else does", async () => {
    await on.open();
    await button("No speed limit").click();
    await on.page.getByLabel("Bytes per second").fill("2.5M");
    await on.page.keyboard.press("Enter");
    await button("Limit 2.5 MB/s").waitFor();
    expect((await on.serve.ask("GET", "/v1/settings")).data).toEqual({ limitRate: 2_500_000 });
    await on.serve.ask("PATCH", "/v1/settings", { body: { limitRate: "off" } });
    await button("No speed limit").waitFor();
    await on.serve.ask("PATCH", "/v1/settings", { body: { limitRate: "1M" } });
    await button("Limit 1 MB/s").click();
    await button("As in the settings").click();
    await button("No speed limit").waitFor();
  });

  test("says that the limit is the timetable's, and goes back to that", async () => {
    const wishes: unknown[] = [];
    await on.page.route("**/v1/settings", async (route) => {
      if (route.request().method() === "PATCH") wishes.push(route.request().postDataJSON());
      const limitBy = wishes.length === 1 ? "hand" : "timetable";
      await route.fulfill({ json: { limitRate: 2_000_000, limitBy } });
    });
    await on.open();
    await button("Limit 2 MB/s by timetable").click();
    await button("No limit").click();
    await button("Limit 2 MB/s").click();
    await button("Follow the timetable").click();
    await button("Limit 2 MB/s by timetable").waitFor();
    expect(wishes).toEqual([{ limitRate: "off" }, { limitRate: "schedule" }]);
    await on.page.unrouteAll();
  });

  test("installs any ref; says at the field what is wrong with one; tries a failure again", async () => {
    await on.open();
    const field = on.page.getByLabel("Any model, repository or address");
    await field.fill("no such model!");
    await on.page.keyboard.press("Enter");
    const wrong = on.page.locator("#install-error");
    await until("it is said what is wrong", async () => (await wrong.textContent()) !== "");
    expect(await wrong.textContent()).toContain('Not a model: "model!".');
    await field.fill("hf:org/nothing");
    await button("Install").click();
    const failed = on.row("downloads", "hf:org/nothing");
    await failed.getByText("Failed").waitFor();
    expect(await failed.textContent()).toContain("has no such repository");
    const asked = on.stage.hub.log().length;
    await button("Try again hf:org/nothing").click();
    await until("it was tried again", () => on.stage.hub.log().length > asked);
    await until("it failed again", async () => (await onlyJob()).state === "failed");
    await failed.getByText("Failed").waitFor();
    await button("Dismiss hf:org/nothing").click();
    await until("it is gone", async () => (await failed.count()) === 0);
    await field.fill("core models");
    await on.page.keyboard.press("Enter");
    for (const name of ["alpha", "beta", "gamma"]) await on.row("models", name).waitFor();
    expect(await on.page.locator("#models-figures").textContent()).toBe("3 · 25.2 MB");
    await checkInvariants(on.stage.models, on.stage.hub);
  });

  test("believes what it heard since it asked, not an answer that comes late", async () => {
    await on.serve.ask("POST", "/v1/downloads", { body: { ref: "hf:org/nothing" } });
    let isAskedAgain = false;
    const [heard, given] = [Promise.withResolvers<void>(), Promise.withResolvers<Job>()];
    on.page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => {
        const { event, data } = JSON.parse(String(payload)) as { event: string; data: Partial<Job> };
        if (isAskedAgain && event === "download" && data.state === "failed") heard.resolve();
      });
    });
    await on.page.route("**/resume", async (route) => {
      isAskedAgain = true;
      const response = await route.fetch();
      await heard.promise;
      await route.fulfill({ response });
      given.resolve((await response.json()) as Job);
    });
    await on.open();
    const failed = on.row("downloads", "hf:org/nothing");
    await failed.getByText("Failed").waitFor();
    await button("Try again hf:org/nothing").click();
    expect((await given.promise).state).not.toBe("failed");
    // Asked and drawn later than that answer.
    await on.page.evaluate(`fetch("/v1/health").then(() =>
      new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))`);
    expect(await failed.textContent()).toContain("Failed");
    await on.page.unrouteAll();
  });

  test("tries a wrong digest again, and does not forget it", async () => {
    const bytes = new Uint8Array(MIB).fill(3);
    await using server = await fileServer((one, response) => sendBytes(one, response, { bytes }));
    await on.serve.ask("POST", "/v1/downloads", { body: { ref: server.url, sha256: "0".repeat(64) } });
    await until("it has failed", async () => (await onlyJob()).state === "failed");
    await on.open();
    const asked = server.asked.length;
    await button("Try again m").click();
    await until("it was asked for again", () => server.asked.length > asked);
    await until("it has ended again", async () => (await onlyJob()).endedAt !== null);
    expect(await on.serve.jobs()).toMatchObject([{ state: "failed", error: { code: "E_DIGEST" } }]);
    expect(await finalsBelow(on.stage.models)).toEqual([]);
  });

  test("verifies, shows what is damaged, and repairs it", async () => {
    await on.open();
    await installAlpha();
    const row = on.row("models", "alpha");
    await button("Verify alpha").click();
    await row.getByText("Everything is right. Read 8.39 MB.").waitFor();
    const path = join(on.stage.models, "alpha.gguf");
    const file = await open(path, "r+");
    await file.write(new Uint8Array([1, 2, 3, 4]), 0, 4, 5 * MIB);
    await file.close();
    await button("Verify alpha").click();
    await row.getByText("It is not right.").waitFor();
    expect(await row.locator(".findings").textContent()).toMatch(/^Damagedalpha\.gguf1 of 2 pieces: /);
    on.stage.hub.behave({ rateBytesPerSec: MIB / 64 });
    await button("Repair alpha").click();
    await on.row("downloads", "alpha").waitFor();
    on.stage.hub.behave({ rateBytesPerSec: null });
    await row.getByText("It was damaged and is right again.").waitFor();
    await on.page.getByText("Nothing is on its way.").waitFor();
    expect(await button("Repair alpha").count()).toBe(0);
    const digest = new Bun.CryptoHasher("sha256").update(await readFile(path)).digest("hex");
    expect(digest).toBe(on.stage.hub.filesOf("org/alpha").get("alpha.gguf")!.content.sha256);
    await on.page.route("**/verify", () => undefined);
    await button("Verify alpha").click();
    await on.page.getByRole("progressbar", { name: "Verification of alpha" }).waitFor();
    await button("Stop verifying alpha").click();
    await row.getByText("Stopped.").waitFor();
    expect(await button("Verify alpha").isVisible()).toBe(true);
    await on.page.unrouteAll();
  });

  test("removes a model after it was asked, and says what that frees", async () => {
    await on.open();
    await installAlpha();
    await button("Remove alpha").click();
    const dialog = on.page.getByRole("dialog", { name: "Remove alpha?" });
    await dialog.getByText("This deletes 1 file and frees 8.39 MB.").waitFor();
    expect(await dialog.getByRole("listitem").textContent()).toBe(join(on.stage.models, "alpha.gguf"));
    await button("Keep it").click();
    expect(await finalsBelow(on.stage.models)).toEqual(["alpha.gguf"]);
    await button("Remove alpha").click();
    await button("Remove").click();
    await until("it is gone", async () => (await finalsBelow(on.stage.models)).length === 0);
    await on.page.getByText("None are installed yet.").waitFor();
    await button("Install alpha").waitFor();
    expect(await on.page.getByRole("status").textContent()).toBe("alpha is removed. 8.39 MB freed.");
  });

  test("shows what takes room, and cleans up what a killed daemon left", async () => {
    await on.open();
    await startSlowly();
    await button("Cancel alpha").click();
    await button("Cancel, keep what arrived").click();
    await on.row("history", "alpha").waitFor();
    const picture = on.page.getByRole("img", { name: /models: 0 B, Unfinished: [1-9]/ });
    await picture.waitFor();
    await button("Clean up").click();
    await on.page.getByText(/^This deletes 1 leftover and frees/).waitFor();
    await button("Delete").click();
    await until("nothing is left", async () => (await filesBelow(on.stage.partials)).length === 0);
    await on.page.getByRole("img", { name: /Unfinished: 0 B/ }).waitFor();
  });

  test("says that the connection is lost, and goes on by itself when luci is back", async () => {
    await on.open();
    await startSlowly();
    await on.row("downloads", "alpha").waitFor();
    await on.kill();
    const link = on.page.getByRole("banner");
    await link.getByText("Connection lost. Trying again.").waitFor();
    await button("Pause alpha").click();
    await on.page.getByText("luci does not answer.").waitFor();
    await on.restart();
    await link.getByText("Connected", { exact: true }).waitFor();
    on.stage.hub.behave({ rateBytesPerSec: null });
    await on.row("models", "alpha").waitFor();
    await button("Install beta").click();
    await on.row("models", "beta").waitFor();
    // Chromium notes every connection that is refused; that is what was wanted here.
    const others = on.browser.complaints.filter((text) => !/^WebSocket connection to .*ERR_/.test(text));
    on.browser.complaints.splice(0, Number.POSITIVE_INFINITY, ...others);
    await checkInvariants(on.stage.models, on.stage.hub);
  });
});
