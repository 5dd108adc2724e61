// Which proxy stands between us and an address: read from the environment as curl reads it, decided here and
// not by the runtime, so that a failure can be laid at the right door. Asks no network.

import { BlockList, isIP } from "node:net";
import { LuciError } from "../domain/errors.ts";
import type { Environment } from "./http-environment.ts";

/** A proxy that an exchange goes through. */
export interface Proxy {
  /** For the runtime: may hold a user name and a password. Never shown. */
  readonly url: string;
  /** For people: host and port alone. */
  readonly name: string;
  /** The variable that named it. */
  readonly variable: string;
  readonly hasLogin: boolean;
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/**
 * The proxy for an address, or null to connect directly: `https_proxy` or `http_proxy` by its scheme, else
 * `all_proxy`, lower case before upper case, unless `no_proxy` names the host.
 * @throws LuciError E_PROXY when the variable holds no proxy's address
 */
export function proxyFor(address: string, environment: Environment): Proxy | null {
  // Mostly there is none, and small files come by the thousand.
  if (Object.keys(environment).length === 0) return null;
  const url = new URL(address);
  const found = findVariable([`${url.protocol.replace(":", "")}_proxy`, "all_proxy"], environment);
  if (found === null || isExempt(url, environment)) return null;
  return readProxy(found.name, found.value);
}

/** Reads a proxy's address as people write it, `host:port` without a scheme included. @throws LuciError E_PROXY */
export function readProxy(variable: string, value: string): Proxy {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  if (url === null || url.hostname === "" || !(url.protocol in DEFAULT_PORTS)) {
    throw new LuciError("E_PROXY", `${variable} does not hold the address of an http proxy`, {
      hint: `Write it like ${variable}=http://host:port, or unset it`,
    });
  }
  return {
    url: url.href,
    name: url.host,
    variable,
    hasLogin: url.username !== "" || url.password !== "",
  };
}

/** Whether `no_proxy` takes a host out: `*`, a name with all below it, an address, a CIDR network, each with or without a port. */
function isExempt(url: URL, environment: Environment): boolean {
  const list = findVariable(["no_proxy"], environment)?.value ?? "";
  const host = bareHost(url.hostname);
  const port = url.port || (DEFAULT_PORTS[url.protocol] ?? "");
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => isEntryFor(entry, { host, port }));
}

function isEntryFor(entry: string, { host, port }: { host: string; port: string }): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isInNetwork(host, entry);
  const { name, port: entryPort } = splitPort(entry);
  if (entryPort !== null && entryPort !== port) return false;
  const bare = bareHost(name).replace(/^\*?\./, "");
  if (bare === "") return false;
  return host === bare || (isIP(host) === 0 && host.endsWith(`.${bare}`));
}

/** `[::1]:80` and `host:80` have a port; a bare IPv6 address has none. */
function splitPort(entry: string): { name: string; port: string | null } {
  const match = /^(\[.*\]|[^:]*):(\d{1,5})$/.exec(entry);
  return match === null ? { name: entry, port: null } : { name: match[1] ?? "", port: match[2] ?? null };
}

function isInNetwork(host: string, network: string): boolean {
  const [address = "", bits = ""] = network.replace(/[[\]]/g, "").split("/");
  const family = isIP(address);
  const most = family === 4 ? 32 : 128;
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits) || Number(bits) > most) return false;
  const kind = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(address, Number(bits), kind);
  return list.check(host, kind);
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

/** The first of these variables that is set, in lower case, in upper case, in any other spelling. */
function findVariable(
  names: readonly string[],
  environment: Environment,
): { name: string; value: string } | null {
  for (const name of names) {
    const spellings = Object.keys(environment).filter((key) => key.toLowerCase() === name);
    const ordered = [name, name.toUpperCase(), ...spellings];
    for (const spelling of ordered) {
      const value = environment[spelling]?.trim() ?? "";
      if (value !== "") return { name: spelling, value };
    }
  }
  return null;
}

/** How the runtime is told of a proxy, or of none: its own choice is never asked for. */
export type ProxyOption = false | { readonly url: string; readonly respectNoProxy: false };

/** Our choice, put so that the runtime does not make its own. */
export function proxyOption(proxy: Proxy | null): ProxyOption {
  return proxy === null ? false : { url: proxy.url, respectNoProxy: false };
}
