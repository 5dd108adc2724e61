// Settings of the surroundings that would make connections unsafe without anybody noticing.

import { LuciError } from "../domain/errors.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Refuses what the runtime would silently get wrong: it ignores a socks proxy and connects directly,
 * and it stops checking certificates when a variable says so.
 * @throws LuciError E_PROXY, E_TLS
 */
function checkEnvironment(environment: Environment): void {
  checkSocks(environment);
  checkVerification(environment);
}

/**
 * Checks the environment and answers the part of it that requests depend on. To be read once: to go through all
 * variables for every request costs more than a small request.
 * @throws LuciError E_PROXY, E_TLS
 */
export function readSurroundings(environment: Environment): Environment {
  checkEnvironment(environment);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => /_proxy$/i.test(name)));
}

/** @throws LuciError E_PROXY when any variable, in any spelling, names a socks proxy */
export function checkSocks(environment: Environment): void {
  for (const [name, value] of proxyVariables(environment)) {
    if (!/^socks/i.test(name) && !/^["']?socks/i.test(value.trim())) continue;
    throw new LuciError(
      "E_PROXY",
      `${name} names a socks proxy, which luci cannot use: it does not connect around it`,
      {
        hint: `Unset ${name}, or set HTTPS_PROXY to an http proxy`,
      },
    );
  }
}

/** @throws LuciError E_TLS when a variable switches the verification of certificates off */
export function checkVerification(environment: Environment): void {
  if (environment["NODE_TLS_REJECT_UNAUTHORIZED"]?.trim() !== "0") return;
  throw new LuciError("E_TLS", "NODE_TLS_REJECT_UNAUTHORIZED=0 switches certificate checks off: refused", {
    hint: "Unset it; for a certificate of your own use --ca-file or LUCI_CA_FILE",
  });
}

/** The variables that name proxies, in any spelling, with their values. */
export function proxyVariables(environment: Environment): [name: string, value: string][] {
  return Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      /^(?:all|https?|socks\w*|ftp)_proxy$/i.test(entry[0]) && (entry[1] ?? "").trim() !== "",
  );
}
