// The shape of a catalog file, the built-in one and a user's own. Nothing is looked up here.

import * as v from "valibot";
import { isRepoName } from "../domain/ref-hub.ts";
import { checkRemotePath } from "../domain/safe-path.ts";

const GROUP_NAME = v.literal("core");
const ModelNameSchema = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9][a-z0-9._-]{0,127}$/,
    "a name is lower-case letters, digits, dots, dashes and underscores",
  ),
);
const LabelSchema = v.pipe(v.string(), v.maxLength(500));

const FileSchema = v.object({
  path: v.pipe(v.string(), v.check(isSafePath, "not a safe relative path")),
  /** Bytes. */
  size: v.nullish(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), null),
  sha256: v.nullish(
    v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "not 64 lower-case hexadecimal digits")),
    null,
  ),
  role: v.optional(v.picklist(["mmproj"])),
});

const SourceSchema = v.object({
  hub: v.literal("huggingface"),
  repo: v.pipe(v.string(), v.check(isRepoName, "not the name of a repository")),
  revision: v.nullish(
    v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/, "not a commit of 40 hexadecimal digits")),
    null,
  ),
  files: v.pipe(v.array(FileSchema), v.minLength(1)),
});

const ModelSchema = v.object({
  name: ModelNameSchema,
  aliases: v.optional(v.array(ModelNameSchema), []),
  tier: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(99)),
  params: v.optional(LabelSchema, ""),
  quant: v.optional(LabelSchema, ""),
  license: v.nullish(LabelSchema, null),
  kind: v.optional(LabelSchema, "text"),
  description: v.optional(LabelSchema, ""),
  source: SourceSchema,
});

/** A whole catalog file. Keys it does not name are remarks for people and are dropped. */
export const CatalogSchema = v.pipe(
  v.object({
    version: v.literal(1),
    groups: v.optional(v.record(GROUP_NAME, v.array(ModelNameSchema)), {}),
    models: v.array(ModelSchema),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const twice = findRepeated(dataset.value.models.flatMap((model) => [model.name, ...model.aliases]));
    if (twice !== null) addIssue({ message: `the name ${twice} is given twice` });
  }),
);

export type CatalogFileData = v.InferOutput<typeof CatalogSchema>;
/** One model of a catalog, as the file says it. */
export type CatalogModel = v.InferOutput<typeof ModelSchema>;

function isSafePath(path: string): boolean {
  try {
    checkRemotePath(path);
    return true;
  } catch {
    return false;
  }
}

function findRepeated(names: readonly string[]): string | null {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size) ?? null;
}
