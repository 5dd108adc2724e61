// Everybody in luci who reads what a stranger wrote, with sound inputs to spoil.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadSettings } from "../../src/app/config.ts";
import { makeGguf, makeSafetensors } from "../../src/demo/gguf-writer.ts";
import { parseRefs } from "../../src/domain/ref.ts";
import { checkNoCollisions, checkRemotePath } from "../../src/domain/safe-path.ts";
import { checkUrl, redactUrl, withoutSecrets } from "../../src/domain/safe-url.ts";
import { parseDuration, parseSize } from "../../src/domain/size.ts";
import { escapeText, jsonLine } from "../../src/domain/text.ts";
import { rankOfHost } from "../../src/platform/http-address.ts";
import { parseBytes, parseContentRange } from "../../src/platform/http-answer.ts";
import { readRetryAfter } from "../../src/platform/http-errors.ts";
import { nodeFiles } from "../../src/platform/node-files.ts";
import { loadCatalog } from "../../src/sources/catalog.ts";
import { nameOfAnswer } from "../../src/sources/url-name.ts";
import { inspectPath } from "../../src/store/inspect.ts";
import { believeJournal, formatJournal, parseJournal } from "../../src/store/journal.ts";
import { manifestFileName } from "../../src/store/layout.ts";
import { readRecords } from "../../src/store/manifest.ts";
import type { Store } from "../../src/store/store.ts";
import type { FuzzTarget } from "./fuzz-loop.ts";
import { JOURNAL_FACTS, sealJournal, soundJournal, soundRecord } from "./sound-records.ts";
import { manifestFile } from "./store-room.ts";

const HEX = "ab".repeat(32);
const KEY = `sha256-${HEX}`;
const utf8 = (...texts: readonly string[]) => texts.map((text) => new TextEncoder().encode(text));
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** All targets; files are written into `folder`, records into the store. */
export async function fuzzTargets(folder: string, store: Store): Promise<FuzzTarget[]> {
  return [...(await modelFiles(folder)), ...records(store), ...settings(folder), ...words(), ...headers()];
}

async function modelFiles(folder: string): Promise<FuzzTarget[]> {
  const gguf = await makeGguf({ name: "m", sizeBytes: 8_000, seed: 1 });
  const tensors = makeSafetensors({ name: "m", sizeBytes: 2_000, seed: 1 });
  const files = nodeFiles();
  const inspect = (name: string) => async (input: Uint8Array) => {
    const path = join(folder, name);
    await writeFile(path, input);
    await inspectPath(files, path, { name, sizeBytes: input.length, allowUnsafe: false });
  };
  const archive = Uint8Array.from(
    Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(500), Buffer.from("PK\x05\x06")]),
  );
  return [
    { name: "GGUF", samples: [gguf.read(0, gguf.sizeBytes)], feed: inspect("fuzz.gguf") },
    { name: "safetensors", samples: [tensors.read(0, tensors.sizeBytes)], feed: inspect("fuzz.safetensors") },
    {
      name: "other files",
      samples: [archive, ...utf8("\x93NUMPY{'descr':'|O'}", "cos\nsystem\n.")],
      feed: inspect("fuzz"),
    },
  ];
}

function records(store: Store): FuzzTarget[] {
  const origin = { kind: "huggingface", repo: "org/m", revision: "0".repeat(40), path: "m.gguf" } as const;
  const files = [manifestFile({ pieces: ["00"] }), manifestFile({ path: "b/c", origin })];
  const source = { hub: "huggingface", repo: "org/m", files: [{ path: "m.gguf", size: 1, sha256: HEX }] };
  const catalog = {
    version: 1,
    groups: { core: ["a"] },
    models: [{ name: "a", aliases: ["b"], tier: 1, source }],
  };
  return [
    {
      name: "manifest",
      samples: utf8(JSON.stringify(soundRecord({ files }))),
      feed: async (input) => {
        const path = join(store.layout.manifestsFolder, manifestFileName("one"));
        await store.files.makeFolder(store.layout.manifestsFolder);
        await writeFile(path, input);
        const { manifests } = await readRecords(store);
        for (const { files } of manifests) for (const file of files) checkRemotePath(file.path);
      },
    },
    {
      name: "journal",
      samples: utf8(JSON.stringify(soundJournal(KEY))),
      feed: (input) => {
        const body = textOf(input);
        parseJournal(body, KEY);
        const parsed = parseJournal(sealJournal(body), KEY);
        if (parsed) formatJournal(parsed);
        if (parsed) believeJournal(parsed, { facts: JOURNAL_FACTS, sizeBytes: null, hasDigest: false });
      },
    },
    {
      name: "catalog",
      samples: utf8(JSON.stringify(catalog)),
      feed: (input) => {
        const known = loadCatalog({ files: [{ path: "c", text: textOf(input) }] });
        for (const entry of known.entries()) jsonLine(entry);
      },
    },
  ];
}

function settings(folder: string): FuzzTarget[] {
  const sample =
    'jobs = 4\nlimit-rate = "20M"\nretries = 3\nstall-seconds = 1.5\nhf-endpoint = "https://x.org"\n# x\n';
  const feed = async (input: Uint8Array) => {
    await loadSettings({
      flags: {},
      env: { LUCI_HOME: folder },
      disk: {
        readText: async (path) => (path.endsWith("config.toml") ? textOf(input) : null),
        list: async () => [],
        exists: async () => false,
        isReadableByOthers: async () => false,
      },
      userFolder: folder,
      workFolder: folder,
      network: false,
      notice: () => undefined,
    });
  };
  return [
    { name: "config.toml", samples: utf8(sample, 'partials = "resume"\n[a.b]\nc = [1, {d = 2}]\n'), feed },
  ];
}

function words(): FuzzTarget[] {
  const each = (name: string, samples: readonly string[], feed: (text: string) => unknown): FuzzTarget => ({
    name,
    samples: utf8(...samples),
    feed: (input) => feed(textOf(input)),
  });
  const refs = [
    "llama3.2",
    "core models",
    "tier 2",
    "hf:org/repo@main:Q4_K_M",
    "https://huggingface.co/org/repo/blob/main/a.gguf",
  ];
  return [
    each("ref", [...refs, `https://x.org/m.gguf?sig=a#sha256=${HEX}`], (text) => parseRefs([text])),
    each("address", ["https://user:pw@example.org:8443/a/b?x=1#y", "http://[::1]:80/"], (text) => {
      redactUrl(text);
      withoutSecrets(checkUrl(text).href);
    }),
    each("host", ["127.0.0.1", "[::ffff:10.0.0.1]", "localhost.", "fe80::1%eth0"], (text) =>
      rankOfHost(text, null),
    ),
    each("size", ["20M", "1.5GiB", "4096", ".5kB"], parseSize),
    each("duration", ["7d", "12h", "1.5 hours"], parseDuration),
    each("path", ["a/b/c.gguf", "Qwen/é.txt", "x.gguf"], (text) =>
      checkNoCollisions([checkRemotePath(text), "a/b"]),
    ),
    each("text", ["plain", "\u001b[31mred\u202e", "日本語"], (text) => {
      // oxlint-disable-next-line no-control-regex -- that is what must not be there
      if (/[\0-\x1f\x7f-\x9f\u202e]/.test(escapeText(text))) throw new Error("a control got through");
      if (JSON.parse(jsonLine({ text })).text !== text.toWellFormed()) throw new Error("JSON changed a text");
    }),
  ];
}

function headers(): FuzzTarget[] {
  const SAMPLES = [
    "bytes 0-9/100",
    "bytes */100",
    "120",
    "Wed, 21 Oct 2026 07:28:00 GMT",
    '"abc"',
    'W/"x"',
    "r=0;t=30",
  ];
  const names = [
    "content-range",
    "retry-after",
    "etag",
    "content-length",
    "ratelimit",
    "date",
    "content-disposition",
  ];
  const feed = (input: Uint8Array): void => {
    const text = textOf(input);
    const range = parseContentRange(text);
    if (
      range &&
      !(range.startBytes <= range.endBytes && range.endBytes <= (range.totalBytes ?? Infinity) + 0)
    )
      if (range.totalBytes === null || range.endBytes > range.totalBytes)
        throw new Error("a range that cannot be");
    const bytes = parseBytes(text);
    if (bytes !== null && !Number.isSafeInteger(bytes)) throw new Error("bytes that cannot be counted");
    const header = new Headers();
    for (const name of names) {
      try {
        header.set(name, text);
      } catch {
        // no header can say that
      }
    }
    const waitMs = readRetryAfter(header);
    if (waitMs !== undefined && !(waitMs >= 0)) throw new Error(`a wait of ${waitMs} ms`);
    checkRemotePath(nameOfAnswer("https://example.org/download", header));
  };
  const dispositions = ['attachment; filename="a.gguf"', "attachment; filename*=UTF-8''a%20b.gguf"];
  return [{ name: "headers", samples: utf8(...SAMPLES, ...dispositions), feed }];
}
