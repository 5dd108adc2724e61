// The page a browser opens: static files that are part of the program, and nothing of anybody's. Their headers keep
// a browser from running or asking anything that is not luci's own.

import { bundlePage } from "../../scripts/page-bundle.ts" with { type: "macro" };
import type { Route } from "./router.ts";

/** A file of the page, imported as text. */
export interface PageFile {
  /** `/`, `/page.js`. */
  readonly path: string;
  readonly type: "text/html" | "text/css" | "text/javascript" | "image/svg+xml";
  readonly text: string;
}

const HEADERS = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy":
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};
const { html, css, icon, script } = bundlePage();
const FILES: readonly PageFile[] = [
  { path: "/", type: "text/html", text: html },
  { path: "/page.css", type: "text/css", text: css },
  { path: "/page.js", type: "text/javascript", text: script },
  { path: "/icon.svg", type: "image/svg+xml", text: icon },
];

/** The routes of the page's files. They are open to everybody who reaches the port. */
export function pageRoutes(files: readonly PageFile[] = FILES): Route[] {
  return files.map(({ path, type, text }) => {
    const headers = { ...HEADERS, "Content-Type": `${type}; charset=utf-8` };
    return { method: "GET", path, handle: () => new Response(text, { headers }) };
  });
}
