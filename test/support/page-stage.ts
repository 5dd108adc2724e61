// What a test of the page stands on: a stage, a daemon and a browser that looks at it.

import { expect } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import type { Locator, Page } from "playwright-core";
import { describedOperations } from "./api-check.ts";
import { type Browser, openBrowser } from "./browser.ts";
import { openNamedStage } from "./named-stage.ts";
import { type Serve, startServe } from "./serve.ts";
import { ONE_BY_ONE, clearStage, type Stage } from "./stage.ts";
import { until } from "./until.ts";

const NAMES = ["alpha", "beta", "gamma"];
const PAGE_FILES = new Set(["/", "/page.css", "/page.js", "/icon.svg"]);

export interface PageStage extends AsyncDisposable {
  readonly stage: Stage;
  readonly browser: Browser;
  readonly page: Page;
  readonly serve: Serve;
  /** An empty home with a new daemon, and no page yet. */
  begin(): Promise<void>;
  /** Ends the daemon and checks what the page did since `begin`. */
  end(): Promise<void>;
  /** The page, connected, as the link on a terminal opens it. */
  open(): Promise<void>;
  /** Ends the daemon at once. */
  kill(): Promise<void>;
  /** Starts the daemon again where it was. */
  restart(): Promise<void>;
  /** The row of a download or model in a part of the page. */
  row(part: "downloads" | "models" | "install" | "history", name: string): Locator;
}

export interface PageStageOptions {
  readonly sizeBytes: number;
  /** What the catalog says about each model. */
  readonly description?: string;
}

/** Opens everything but a daemon. */
export async function openPageStage({ sizeBytes, description = "" }: PageStageOptions): Promise<PageStage> {
  const { stage, env } = await openNamedStage(NAMES, { sizeBytes });
  await describeModels(env.LUCI_CATALOG, description);
  const browser = await openBrowser();
  const { page } = browser;
  let serve: Serve | null = null;
  // What is to be slow gets no faster by more connections, however long a person takes.
  const start = (port = 0): Promise<Serve> => startServe(stage, { env, port, args: ONE_BY_ONE });
  const running = (): Serve => {
    if (serve) return serve;
    throw new Error("there is no daemon: begin first");
  };
  const kill = async (): Promise<void> => {
    serve?.child.kill("SIGKILL");
    await serve?.child.ended;
  };
  return {
    stage,
    browser,
    page,
    get serve() {
      return running();
    },
    begin: async () => {
      await clearStage(stage);
      browser.asked.length = 0;
      browser.complaints.length = 0;
      serve = await start();
    },
    end: async () => {
      await page.goto("about:blank");
      await kill();
      expect(strangersIn(browser, running().url)).toEqual([]);
      expect(browser.complaints).toEqual([]);
    },
    open: async () => {
      const { url, token } = running();
      await page.goto(`${url}/#token=${token}`);
      await page.getByRole("banner").getByText("Connected", { exact: true }).waitFor();
    },
    kill,
    restart: async () => {
      const { port } = new URL(running().url);
      // Somebody else may have got it meanwhile.
      await until("it listens where it was", async () => {
        const again = await start(Number(port)).catch(() => null);
        serve = again ?? serve;
        return again !== null;
      });
    },
    row: (part, name) =>
      page
        .locator(`#${part} li.row`)
        .filter({ has: page.getByRole("heading", { name, exact: true, level: 3 }) }),
    [Symbol.asyncDispose]: async () => {
      await kill();
      await browser[Symbol.asyncDispose]();
      await stage[Symbol.asyncDispose]();
    },
  };
}

/** Adds to every model of a catalog what a page shows of it. */
async function describeModels(path: string, description: string): Promise<void> {
  const catalog = JSON.parse(await readFile(path, "utf8")) as { models: object[] };
  const models = catalog.models.map((model) => ({ ...model, description, params: "1B", quant: "Q4_K_M" }));
  await writeFile(path, JSON.stringify({ ...catalog, models }));
}

/** What was asked of others than the daemon, or is not in the API's description, or shows the token. */
function strangersIn({ asked }: Browser, url: string): string[] {
  const described = describedOperations().map((operation) => {
    const pattern = operation.replaceAll(/[.]/g, "\\.").replaceAll(/\{\w+\}/g, "[^/]+");
    return new RegExp(`^${pattern}$`);
  });
  return asked
    .filter(({ url: { protocol } }) => protocol !== "about:")
    .filter((request) => {
      const { origin, pathname, search } = request.url;
      if (origin !== url || search.includes("token")) return true;
      const operation = `${request.method} ${pathname}`;
      const isFile = request.method === "GET" && PAGE_FILES.has(pathname);
      return !isFile && !described.some((one) => one.test(operation));
    })
    .map((request) => `${request.method} ${request.url.href}`);
}
