// Asking a daemon for downloads: one by one, or several at once. What is answered is remembered already.

import * as v from "valibot";
import type { Context } from "../app/context.ts";
import { singleRefs } from "../app/targets.ts";
import { toLuciError } from "../domain/errors.ts";
import { PRIORITIES } from "../domain/job.ts";
import { parseRefs } from "../domain/ref.ts";
import { PRIORITY, RATE } from "./api.ts";
import type { Added, DownloadAsk } from "./download-asks.ts";
import type { DownloadQueue } from "./download-queue.ts";
import { Problem } from "./problem.ts";
import { type Route, json, readBody } from "./router.ts";

const MOST_REFS = 200;

const REF = v.pipe(v.string(), v.minLength(1), v.maxLength(2_048));
const SHA256 = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/i, "expected 64 hexadecimal digits"),
  v.toLowerCase(),
);
const OPTIONS = {
  priority: v.optional(PRIORITY),
  limitRate: v.optional(RATE),
  partials: v.optional(v.nullable(v.picklist(["resume", "delete"])), null),
  allowUnsafe: v.optional(v.boolean(), false),
  paused: v.optional(v.boolean(), false),
};
const WISH = v.strictObject({ ref: REF, sha256: v.optional(v.nullable(SHA256), null), ...OPTIONS });
const WISHES = v.strictObject({
  refs: v.pipe(v.array(REF), v.minLength(1), v.maxLength(MOST_REFS)),
  ...OPTIONS,
});

export interface DownloadRoutesOptions {
  readonly queue: DownloadQueue;
  /** For the catalog and the hub's address, as they are now. */
  context(): Context;
}

/** The routes by which downloads are asked for. */
export function downloadRoutes({ queue, context }: DownloadRoutesOptions): Route[] {
  return [
    {
      method: "POST",
      path: "/v1/downloads",
      handle: async ({ request }) => {
        const { ref, sha256, ...options } = await readBody(request, WISH);
        const [single = "", ...more] = await expand([ref], { context: context(), field: "ref" });
        if (more.length > 0) throw tooMany(ref, more.length + 1);
        const [added] = queue.add([wishOf(single, { ...options, sha256 })]);
        return respondOne(added);
      },
    },
    {
      method: "POST",
      path: "/v1/downloads/batch",
      handle: async ({ request }) => {
        const { refs, ...options } = await readBody(request, WISHES);
        const singles = await expand(refs, { context: context(), field: "refs" });
        const added = queue.add(singles.map((ref) => wishOf(ref, { ...options, sha256: null })));
        const status = added.some(({ isNew }) => isNew) ? 201 : 200;
        return json({ downloads: added.map(({ job }) => job) }, status);
      },
    },
  ];
}

type Options = Omit<v.InferOutput<typeof WISH>, "ref">;

function wishOf(ref: string, options: Options): DownloadAsk {
  const { priority, limitRate: limitBytesPerSec, partials, sha256, allowUnsafe, paused } = options;
  const usual = { priority: PRIORITIES.normal, limitBytesPerSec: null };
  const said = {
    ...(priority === undefined ? {} : { priority }),
    ...(limitBytesPerSec === undefined ? {} : { limitBytesPerSec }),
  };
  return { ref, ...usual, ...said, said, partials, sha256, allowUnsafe, isPaused: paused };
}

/** What these words stand for, each model by a ref of its own. @throws Problem 400 naming the field */
async function expand(
  words: readonly string[],
  { context, field }: { context: Context; field: string },
): Promise<string[]> {
  const catalog = await context.catalog();
  try {
    return singleRefs(parseRefs(words, { hubEndpoint: context.settings.hubEndpoint }), catalog);
  } catch (thrown) {
    const { code, message, hint } = toLuciError(thrown);
    if (code === "E_INTERNAL") throw thrown;
    throw new Problem({ status: 400, code, detail: message, hint, field });
  }
}

function tooMany(ref: string, count: number): Problem {
  return new Problem({
    status: 400,
    code: "E_REF_SYNTAX",
    detail: `\`${ref}\` stands for ${count} models`,
    hint: 'POST /v1/downloads/batch takes several: {"refs": ["core models"]}',
    field: "ref",
  });
}

function respondOne(added: Added | undefined): Response {
  if (!added) throw new Error("a download was added and is not there");
  const response = json(added.job, added.isNew ? 201 : 200);
  response.headers.set("Location", `/v1/downloads/${added.job.id}`);
  return response;
}
