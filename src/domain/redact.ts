// Takes secrets out of text that nobody wrote for people: messages and stacks of bugs.

const USER = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@"'`<>]*@/gi;
const QUERY = /\b([a-z][a-z0-9+.-]*:\/\/[^\s?"'`<>]*)\?[^\s"'`<>]*/gi;
const TOKEN = /\b(hf_|Bearer )[\w.~+/=-]{4,}/g;

/** The text with every address cut at its query, without user names, and with tokens blotted out. */
export function redactText(text: string): string {
  return text.replace(USER, "$1").replace(QUERY, "$1?…").replace(TOKEN, "$1…");
}
