// The sources of one run, by the kind of origin they serve.

import type { Origin } from "../domain/plan.ts";
import type { Ref } from "../domain/ref.ts";
import { type HuggingfaceSource, huggingfaceSource } from "../sources/huggingface.ts";
import type { Source } from "../sources/source.ts";
import { urlSource } from "../sources/url.ts";
import type { Context } from "./context.ts";

export type Sources = { readonly huggingface: HuggingfaceSource } & Readonly<Record<Origin["kind"], Source>>;

/** Makes the sources with this run's endpoint and token. */
export function openSources(
  context: Context,
  options: { allowUnsafe: boolean; sha256: string | null; refs: readonly Ref[] },
): Sources {
  const { http, settings } = context;
  const { allowUnsafe, sha256 } = options;
  const urls = options.refs.flatMap((ref) => (ref.kind === "url" ? [ref.url] : []));
  return {
    huggingface: huggingfaceSource({
      http,
      endpoint: settings.hubEndpoint,
      token: settings.hubToken,
      allowUnsafe,
    }),
    url: urlSource({ http, sha256, allowUnsafe, urls }),
  };
}
