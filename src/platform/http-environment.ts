// Settings of the surroundings that would make connections unsafe without anybody noticing.

import { LuciError } from "../domain/errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Refuses what the runtime would silently get wrong: it ignores a socks proxy and connects directly,
 * and it stops checking certificates when a variable says so.
 * @throws LuciError E_PROXY, E_TLS
 */
export function checkEnvironment(environment: Environment): void {
  for (const [name, value] of proxyVariables(environment)) {
    if (!/^\s*socks/i.test(value)) continue;
    throw new LuciError(
      "E_PROXY",
      `${name} names a socks proxy, which luci cannot use: it does not connect around it`,
      {
        hint: `Unset ${name}, or set HTTPS_PROXY to an http proxy`,
      },
    );
  }
  if (environment["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    throw new LuciError("E_TLS", "NODE_TLS_REJECT_UNAUTHORIZED=0 switches certificate checks off: refused", {
      hint: "Unset it; for a certificate of your own set NODE_EXTRA_CA_CERTS",
    });
  }
}

/** Whether a proxy may resolve host names for us. */
export function hasProxy(environment: Environment): boolean {
  return proxyVariables(environment).length > 0;
}

function proxyVariables(environment: Environment): [string, string][] {
  return Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      /^(?:all|https?|socks\w*|ftp)_proxy$/i.test(entry[0]) && (entry[1] ?? "").trim() !== "",
  );
}
