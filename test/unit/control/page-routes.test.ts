import { expect, test } from "bun:test";
import { pageRoutes } from "../../../src/control/page-routes.ts";

async function load(path: string): Promise<{ type: string | null; text: string; headers: Headers }> {
  const route = pageRoutes().find((one) => one.path === path);
  const request = new Request(`http://127.0.0.1${path}`);
  const response = await route!.handle({ params: {}, query: new URLSearchParams(), request });
  return {
    type: response.headers.get("content-type"),
    text: await response.text(),
    headers: response.headers,
  };
}

test("the page is there from source as well: the script is bundled, not the sources' text", async () => {
  const { type, text } = await load("/page.js");
  expect(type).toBe("text/javascript; charset=utf-8");
  expect(text).toContain("/v1/downloads");
  expect(text).not.toMatch(/^\s*import\b|interface |from"/m);
});

test("every file the document names is served, and it has nothing of its own that runs or paints", async () => {
  const { text: html } = await load("/");
  const named = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, path]) => path!);
  expect(named.toSorted()).toEqual(["/icon.svg", "/page.css", "/page.js"]);
  for (const path of named) expect((await load(path)).text.length).toBeGreaterThan(100);
  expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:/i);
});

test("the policy allows luci's own files and nothing inline", async () => {
  for (const path of ["/", "/page.js", "/page.css", "/icon.svg"]) {
    const { headers } = await load(path);
    const policy = headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  }
});

test("the script makes no markup out of text and no code either", async () => {
  const { text } = await load("/page.js");
  expect(text).not.toMatch(
    /\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
  );
});
