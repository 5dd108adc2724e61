// The token: it comes in the address's fragment, which no server sees, and stays in this tab.

const KEY = "luci.token";

/**
 * Takes the token out of the address, if there is one; it is not left in the address bar or the history.
 * @returns whether there was one
 */
export function takeTokenFromAddress(): boolean {
  const match = /(?:^#|&)token=([^&]+)/.exec(location.hash);
  if (!match) return false;
  history.replaceState(null, "", location.pathname + location.search);
  keepToken(decode(match[1] ?? ""));
  return true;
}

/** The token of this tab; null where there is none. */
export function keptToken(): string | null {
  return sessionStorage.getItem(KEY);
}

/** Keeps a token until the tab is closed; null forgets it. */
export function keepToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, token);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
