// The page of `luci serve`: who it lets in, what it does with hostile text, and whether everybody can use it.
// needs: chromium (chromium)

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { hasBrowser } from "../support/browser.ts";
import { ggufFile } from "../support/model-repos.ts";
import { focusSpot, namelessControls, overflowOf, paleEdges, paleTexts } from "../support/page-probes.ts";
import { openPageStage, type PageStage } from "../support/page-stage.ts";
import { filesBelow } from "../support/stage.ts";
import { until } from "../support/until.ts";

const MIB = 1024 * 1024;
const HOSTILE = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
/** A file name may hold no slash. */
const HOSTILE_NAME = "<img src=x onerror=document.title='owned'>";

let on: PageStage;

describe.skipIf(!hasBrowser())("the page", () => {
  beforeAll(async () => {
    on = await openPageStage({ sizeBytes: 4 * MIB, description: HOSTILE });
  });
  beforeEach(() => on.begin());
  afterEach(() => on.end());
  afterAll(() => on[Symbol.asyncDispose]());

  const button = (name: string) => on.page.getByRole("button", { name, exact: true });
  const tokenDialog = () => on.page.getByRole("dialog", { name: "Token needed" });
  const keptToken = (): Promise<string | null> => on.page.evaluate(`sessionStorage.getItem("luci.token")`);

  /** The page as somebody finds it who has no token in this tab. */
  async function openBare(): Promise<void> {
    await on.page.goto(on.serve.url);
    await on.page.evaluate("sessionStorage.clear()");
    await on.page.reload();
  }

  /** As if every word that luci says were this one. */
  async function answerWith(text: string): Promise<void> {
    const file = { path: text, sizeBytes: 1, sha256: text, authority: text };
    const model = { name: text, ref: text, source: text, revision: text, path: text, sizeBytes: 1 };
    const entry = {
      name: text,
      aliases: [text],
      tier: 0,
      params: text,
      quant: text,
      license: text,
      kind: text,
    };
    const finding = { kind: "digest", model: text, file: text, badPieces: [], pieces: 1, detail: text };
    const lists = { models: [], partials: [], others: [], totalBytes: 1, freeBytes: 1 };
    const answers: Record<string, object> = {
      "GET /v1/models": { models: [{ ...model, installedAt: text, files: [file] }] },
      "GET /v1/catalog": {
        models: [{ ...entry, description: text, sizeBytes: 1, fits: false }],
        freeBytes: 1,
      },
      "GET /v1/usage": { ...lists, modelsFolder: text },
      "POST verify": { findings: [finding], checkedBytes: 1, repaired: [], failed: [] },
      "DELETE dryRun": { models: [text], files: [file], shared: [text], executed: false, freedBytes: 0 },
    };
    await on.page.route("**/v1/*", (route) => {
      const key = `${route.request().method()} ${new URL(route.request().url()).pathname}`;
      return answers[key] ? route.fulfill({ json: answers[key] }) : route.continue();
    });
    await on.page.route("**/v1/models/**", (route) => {
      const key = route.request().url().endsWith("/verify") ? "POST verify" : "DELETE dryRun";
      const isRefused = key === "DELETE dryRun" && !route.request().url().includes("dryRun");
      if (isRefused) return route.fulfill({ status: 422, json: { detail: text, hint: text } });
      return route.fulfill({ json: answers[key]! });
    });
  }

  describe("and its token", () => {
    test("takes it out of the address and keeps it in the tab", async () => {
      await on.open();
      expect(on.page.url()).toBe(`${on.serve.url}/`);
      expect(await keptToken()).toBe(on.serve.token);
      expect(await on.page.evaluate("JSON.stringify([{ ...localStorage }, document.cookie])")).toBe(
        '[{},""]',
      );
      await on.page.reload();
      await on.page.getByRole("banner").getByText("Connected", { exact: true }).waitFor();
      expect(await tokenDialog().isVisible()).toBe(false);
      await button("Install alpha").click();
      await on.row("models", "alpha").waitFor();
    });

    test("asks for it when it is missing, takes no wrong one, and lets look without", async () => {
      await openBare();
      await tokenDialog().waitFor();
      await on.page.getByLabel("Token", { exact: true }).fill("not-the-token-at-all");
      await on.page.keyboard.press("Enter");
      await tokenDialog().getByText("This is not the token of this luci.").waitFor();
      expect(await keptToken()).toBeNull();
      await button("Not now").click();
      await on.row("install", "alpha").waitFor();
      await button("Install alpha").click();
      await on.page.getByLabel("Token", { exact: true }).fill(on.serve.token);
      await button("Go on").click();
      await on.row("models", "alpha").waitFor();
      expect(await keptToken()).toBe(on.serve.token);
    });

    test.each(["wrong-token-of-another-luci", "mit Umlaut ä, und Leerzeichen"])(
      "that is wrong is not kept: %s",
      async (token) => {
        await openBare();
        // The same document: only the fragment is another one.
        await on.page.goto(`${on.serve.url}/#token=${encodeURIComponent(token)}`);
        await tokenDialog().waitFor();
        expect(on.page.url()).toBe(`${on.serve.url}/`);
        await until("it is forgotten", async () => (await keptToken()) === null);
        await on.page.getByRole("banner").getByText("Connected", { exact: true }).waitFor();
        // Chromium notes the handshake that was refused; that is what was wanted here.
        const others = on.browser.complaints.filter((text) => !text.startsWith("WebSocket connection to"));
        on.browser.complaints.splice(0, Number.POSITIVE_INFINITY, ...others);
      },
    );
  });

  test("shows text from outside as text: of a hub, and of every answer", async () => {
    on.stage.hub.publish({ name: "org/evil", files: [await ggufFile(`${HOSTILE_NAME}.gguf`, MIB, 9)] });
    await on.open();
    expect(await on.row("install", "alpha").locator(".help").textContent()).toBe(HOSTILE);
    const field = on.page.getByLabel("Any model, repository or address");
    await field.fill(HOSTILE_NAME);
    await on.page.keyboard.press("Enter");
    await on.page.locator("#install-error").getByText("<img").waitFor();
    await field.fill("hf:org/evil");
    await on.page.keyboard.press("Enter");
    await on.row("downloads", "hf:org/evil").getByText(HOSTILE_NAME).waitFor();
    await answerWith(HOSTILE);
    await on.page.reload();
    const row = on.row("models", HOSTILE);
    await row.waitFor();
    await on.row("install", HOSTILE).getByText("Does not fit").waitFor();
    expect(await button(`Install ${HOSTILE}`).count()).toBe(0);
    await on.page.locator("#disk-folder").getByText(HOSTILE).waitFor();
    await button(`Verify ${HOSTILE}`).click();
    await row.locator(".findings").getByText(HOSTILE).first().waitFor();
    await button(`Remove ${HOSTILE}`).click();
    await on.page.locator("dialog .items").getByText(HOSTILE).waitFor();
    await button("Remove").click();
    await on.page.locator("dialog .wrong").getByText(HOSTILE).waitFor();
    expect(await on.page.locator("img, main script, dialog script").count()).toBe(0);
    expect(await on.page.title()).toBe("luci");
    await on.page.unrouteAll();
  });

  test("works by keyboard alone, and shows where it is", async () => {
    on.stage.hub.behave({ rateBytesPerSec: MIB / 64 });
    await on.open();
    await on.row("install", "gamma").waitFor();
    const press = (key: string) => on.page.keyboard.press(key);
    /** Goes on with the Tab key to something by its name; whatever is passed has to be seen. */
    const tabTo = async (name: string): Promise<void> => {
      for (let steps = 0; steps < 80; steps += 1) {
        await press("Tab");
        const spot = await focusSpot(on.page);
        if (spot.tag !== "body") expect(spot).toMatchObject({ isSeen: true });
        if (spot.name === name) return;
      }
      throw new Error(`the Tab key does not lead to ${name}`);
    };
    await tabTo("Skip to the downloads");
    await press("Enter");
    expect((await focusSpot(on.page)).tag).toBe("main");
    await tabTo("Install beta");
    await press("Enter");
    await on.row("downloads", "beta").waitFor();
    await until("the button is gone", async () => (await button("Install beta").count()) === 0);
    expect((await focusSpot(on.page)).tag).toBe("li");
    await tabTo("Pause beta");
    await press("Space");
    await button("Resume beta").waitFor();
    expect((await focusSpot(on.page)).name).toBe("Resume beta");
    await tabTo("Priority of beta");
    await press("ArrowDown");
    await until("the priority is set", async () => (await on.serve.jobs())[0]!.priority === -10);
    await tabTo("Cancel beta");
    await press("Enter");
    await on.page.getByRole("dialog").waitFor();
    for (let steps = 0; steps < 3; steps += 1) {
      expect((await focusSpot(on.page)).isInDialog).toBe(true);
      await press("Tab");
    }
    await press("Escape");
    expect((await focusSpot(on.page)).name).toBe("Cancel beta");
    await press("Enter");
    await tabTo("Cancel, delete it");
    await press("Enter");
    await on.row("history", "beta").getByText("Cancelled").waitFor();
    await until("nothing is left", async () => (await filesBelow(on.stage.partials)).length === 0);
    // The row went with the focus in it: it is at the main part now, not lost at the top.
    await until("the focus is kept", async () => (await focusSpot(on.page)).tag === "main");
  });

  test("is readable in both schemes and fits every window", async () => {
    await on.open();
    await button("Install alpha").click();
    await on.row("models", "alpha").waitFor();
    on.stage.hub.behave({ rateBytesPerSec: MIB / 64 });
    const add = async (ref: string, paused = false): Promise<string> =>
      (await on.serve.ask("POST", "/v1/downloads", { body: { ref, paused } })).data.id as string;
    const long = `hf:org/${"very-long-name".repeat(6)}`;
    await add(long);
    const cancelled = await add("beta");
    await until("bytes arrive", async () => (await on.serve.job(cancelled)).doneBytes > 0);
    await on.serve.ask("DELETE", `/v1/downloads/${cancelled}?partials=resume`);
    await on.row("history", "beta").getByText("Cancelled").waitFor();
    await add("beta");
    await add("gamma", true);
    for (const [part, name, state] of [
      ["downloads", "gamma", "Paused"],
      ["downloads", "beta", "Downloading"],
      ["downloads", long, "Failed"],
    ] as const)
      await on.row(part, name).getByText(state).waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await on.page.emulateMedia({ colorScheme });
      for (const width of [320, 360, 640, 800, 1000, 1400, 1600]) {
        await on.page.setViewportSize({ width, height: 800 });
        expect([width, await overflowOf(on.page)]).toEqual([width, 0]);
      }
      expect([colorScheme, await paleTexts(on.page), await paleEdges(on.page)]).toEqual([
        colorScheme,
        [],
        [],
      ]);
      expect(await namelessControls(on.page)).toEqual([]);
      await button("Remove alpha").click();
      await on.page.getByRole("dialog", { name: "Remove alpha?" }).waitFor();
      expect([colorScheme, await paleTexts(on.page), await namelessControls(on.page)]).toEqual([
        colorScheme,
        [],
        [],
      ]);
      await on.page.keyboard.press("Escape");
    }
  });

  test("has landmarks, one heading for each part, and a voice", async () => {
    await on.open();
    await on.row("install", "alpha").waitFor();
    for (const role of ["banner", "main", "contentinfo"] as const)
      expect(await on.page.getByRole(role).count()).toBe(1);
    expect(await on.page.getByRole("heading", { level: 1 }).allTextContents()).toEqual(["luci"]);
    const parts = ["Downloads", "Install", "Models", "Disk", "History"];
    expect(await on.page.getByRole("heading", { level: 2 }).allTextContents()).toEqual(parts);
    for (const name of parts)
      expect(await on.page.getByRole("region", { name, exact: true }).count()).toBe(1);
    expect(await on.page.locator("[aria-live=polite][role=status]").count()).toBe(1);
  });

  test("animates nothing, and keeps the graph still for those who want less motion", async () => {
    await on.open();
    await on.serve.ask("POST", "/v1/downloads", { body: { ref: "alpha", paused: true } });
    await on.row("downloads", "alpha").waitFor();
    const moving = `[...document.querySelectorAll("*")].map((element) => getComputedStyle(element))
      .filter(({ transitionDuration, animationName }) => transitionDuration !== "0s" || animationName !== "none")
      .length`;
    expect(await on.page.evaluate<number>(moving)).toBe(0);
    await on.page.evaluate(`globalThis.moves = []; new MutationObserver(() => moves.push(performance.now()))
      .observe(document.querySelector("#speed-graph .curve"), { attributes: true })`);
    const movesMs = () => on.page.evaluate<number[]>("moves");
    await until("the graph moves on", async () => (await movesMs()).length >= 2);
    await on.page.emulateMedia({ reducedMotion: "reduce" });
    await on.page.evaluate("moves.length = 0");
    await Bun.sleep(1_600);
    // Twice a second for others; every five seconds here, however long this takes.
    const calm = await movesMs();
    expect(calm.filter((atMs, at) => at > 0 && atMs - calm[at - 1]! < 3_000)).toEqual([]);
    await on.page.emulateMedia({ reducedMotion: null });
  });

  test("where even reading needs the token, shows nothing without and everything with it", async () => {
    // As a daemon does that listens on a network.
    await on.page.route("**/v1/**", (route) =>
      route.request().headers()["authorization"]
        ? route.continue()
        : route.fulfill({ status: 401, json: { detail: "This needs the token of this luci" } }),
    );
    // This cannot be taken back: it stays the last of this page's tests.
    await on.page.routeWebSocket("**/v1/events*", (socket) => {
      if (socket.protocols().some((protocol) => protocol.startsWith("luci.bearer.")))
        socket.connectToServer();
      else void socket.close();
    });
    await openBare();
    await tokenDialog().waitFor();
    await on.page.getByRole("banner").getByText("The token is missing or wrong.").waitFor();
    await button("Not now").click();
    expect(await on.page.locator("li.row").count()).toBe(0);
    await button("Enter the token").click();
    await on.page.getByLabel("Token", { exact: true }).fill(on.serve.token);
    await on.page.keyboard.press("Enter");
    await on.page.getByRole("banner").getByText("Connected", { exact: true }).waitFor();
    await on.row("install", "alpha").waitFor();
    expect(await button("Enter the token").count()).toBe(0);
    await on.page.unrouteAll();
  });
});
