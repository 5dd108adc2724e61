// Names that no hub, catalog, record or address may give a file, and odd ones that are harmless.

/** [what it is, the name]. Each must be refused wherever a name comes from outside. */
export const HOSTILE_NAMES: readonly (readonly [what: string, name: string])[] = [
  ["a parent", "../x.gguf"],
  ["an absolute path", "/abs.gguf"],
  ["a parent inside", "a/../../b.gguf"],
  ["a parent at the end", "a/.."],
  ["a parent of Windows", "..\\x.gguf"],
  ["a drive", "C:\\x.gguf"],
  ["a share", "\\\\srv\\s\\x.gguf"],
  ["a NUL", "a\0b.gguf"],
  ["a newline", "a\nb.gguf"],
  ["an escape", "a\u001b[2Jb.gguf"],
  ["an empty part", "a//b.gguf"],
  ["nothing", ""],
  ["a dot", "."],
  ["a dot as a part", "a/./b.gguf"],
  ["a space at the end", "x.gguf "],
  ["a dot at the end", "x.gguf."],
  ["a dot at the end of a folder", "a./x.gguf"],
  ["a device", "CON"],
  ["a device with an ending", "NUL.gguf"],
  ["a superscript port", "COM¹"],
  ["a device in a folder", "a/AUX.txt"],
  ["a part of 256 bytes", `${"é".repeat(126)}.gguf`],
  ["a path of 5,000 bytes", `${"a".repeat(100)}/`.repeat(50) + "x.gguf"],
  ["10,000 folders", `${"a/".repeat(10_000)}x.gguf`],
  ["a turned direction", "a\u202egguf.x.gguf"],
  ["a zero-width space", "a\u200bb.gguf"],
  ["a lone surrogate", "a\ud800b.gguf"],
  ["a lone surrogate at the end", "x.gguf\udfff"],
  ["a decomposed accent", "cafe\u0301.gguf"],
  ["luci's own folder", ".luci/v1/manifests/x.json"],
  ["luci's own folder in capitals", ".LUCI/x.gguf"],
  ["luci's own folder's short name", "LUCI~1/x.gguf"],
  ["a stream", "a:b.gguf"],
];

/** Names that look dangerous to a shell or a decoder but are only names. */
export const HARMLESS_NAMES: readonly string[] = [
  "~",
  "-rf",
  "%2e%2e",
  "%2fetc%2fpasswd",
  "$(id)",
  "a;b",
  "&",
];
