// A headless Chromium with one page, that notes what no page of ours may do: complain on its console, throw, or ask
// anybody but its own server.

import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { until } from "./until.ts";

const CHROMIUM = "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
/** Of what never comes: a busy machine may take its time. */
const ACTION_MS = 60_000;

/** One request of the page. */
export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly status: number | null;
}

export interface Browser extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page asked, since it was opened; WebSockets too, as GET. */
  readonly asked: Asked[];
  /** Complaints on the console and errors nobody caught. */
  readonly complaints: string[];
}

/** Whether there is a browser; in CI there has to be one. @throws Error in CI where it is missing */
export function hasBrowser(): boolean {
  if (existsSync(CHROMIUM)) return true;
  if (process.env["CI"] === "true") throw new Error(`${CHROMIUM} is missing: apt-get install chromium`);
  console.warn(`skipped: ${CHROMIUM} is missing (apt-get install chromium)`);
  return false;
}

/** Starts a browser with a profile of its own; `await using`. */
export async function openBrowser(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), "luci-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    timeout: ACTION_MS,
    args: FLAGS,
    viewport: { width: 1200, height: 900 },
  });
  context.setDefaultTimeout(ACTION_MS);
  const page = context.pages()[0] ?? (await context.newPage());
  const { asked, complaints } = watch(page);
  return {
    page,
    context,
    asked,
    complaints,
    [Symbol.asyncDispose]: async () => {
      await context.close();
      // The last of its processes may still write there.
      await until("the profile is gone", () =>
        rm(profile, { recursive: true, force: true }).then(
          () => true,
          () => false,
        ),
      );
    },
  };
}

function watch(page: Page): Pick<Browser, "asked" | "complaints"> {
  const asked: Asked[] = [];
  const complaints: string[] = [];
  page.on("response", (response) => {
    const request = response.request();
    asked.push({ method: request.method(), url: new URL(response.url()), status: response.status() });
  });
  page.on("requestfailed", (request) => {
    asked.push({ method: request.method(), url: new URL(request.url()), status: null });
  });
  page.on("websocket", (socket) => {
    const url = new URL(socket.url().replace(/^ws/, "http"));
    asked.push({ method: "GET", url, status: null });
  });
  page.on("console", (message) => {
    // Chromium notes every answer that is a refusal; whether one was in place, the test knows.
    const isRefusal =
      message.text().startsWith("Failed to load resource: ") && isApiCall(message.location().url);
    if (["error", "warning"].includes(message.type()) && !isRefusal) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { asked, complaints };
}

function isApiCall(url: string): boolean {
  return URL.parse(url)?.pathname.startsWith("/v1/") ?? false;
}
