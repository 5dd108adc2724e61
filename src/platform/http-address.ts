// How private an address is, so that a public server cannot send luci into a private network.

import { lookup as lookupHost } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import { isLoopbackHost } from "../domain/safe-url.ts";

/** Resolves a host name to every address it has. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

/** The higher, the more private. A redirect may only go to an equal or lower rank. */
export const RANK = { public: 0, private: 1, link: 2, loopback: 3 } as const;
export type Rank = (typeof RANK)[keyof typeof RANK];

const NETWORKS: readonly (readonly [Rank, readonly string[]])[] = [
  [RANK.loopback, ["127.0.0.0/8", "0.0.0.0/8", "::1/128", "::/128"]],
  // Clouds hand out credentials on link-local addresses.
  [RANK.link, ["169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"]],
  [RANK.private, ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24"]],
  [
    RANK.private,
    [
      "198.18.0.0/15",
      "224.0.0.0/4",
      "240.0.0.0/4",
      "fc00::/7",
      "fec0::/10",
      "ff00::/8",
      "2001::/32",
      "100::/64",
    ],
  ],
];

const RANKED_LISTS = NETWORKS.map(([rank, networks]) => ({ rank, list: blockList(networks) }));

/** Asks the system's resolver. */
export const systemLookup: Lookup = async (hostname) => {
  const answers = await lookupHost(hostname, { all: true });
  return answers.map((answer) => answer.address);
};

/**
 * The rank of a host: of the address it spells, else the highest of all addresses it resolves to.
 * A name that does not resolve counts as public: asking it will fail by itself. With a null lookup
 * (a proxy resolves names) a name counts as public unless it spells this machine.
 */
export async function rankOfHost(hostname: string, lookup: Lookup | null): Promise<Rank> {
  const bare = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (isIP(bare) !== 0) return rankOfAddress(bare);
  if (isLoopbackHost(bare) || bare.endsWith(".localhost")) return RANK.loopback;
  if (lookup === null) return RANK.public;
  const addresses = await lookup(bare).catch(() => []);
  return addresses.reduce<Rank>((highest, address) => {
    const rank = rankOfAddress(address);
    return rank > highest ? rank : highest;
  }, RANK.public);
}

/** The rank of a literal IPv4 or IPv6 address; an IPv4 one inside an IPv6 one counts as itself. */
export function rankOfAddress(address: string): Rank {
  const bare = embeddedIpv4(address) ?? address;
  const family = isIP(bare) === 4 ? "ipv4" : "ipv6";
  return RANKED_LISTS.find(({ list }) => list.check(bare, family))?.rank ?? RANK.public;
}

/**
 * The IPv4 address inside an IPv6 one, in any spelling: mapped (`::ffff:a.b.c.d`), translated (`::ffff:0:a.b.c.d`),
 * compatible (`::a.b.c.d`), NAT64 (`64:ff9b::` and `64:ff9b:1::`, RFC 6052 and 8215), 6to4 (`2002:…`, RFC 3056),
 * ISATAP (`…:0:5efe:a.b.c.d`, RFC 5214).
 */
function embeddedIpv4(address: string): string | null {
  if (isIP(address) !== 6) return null;
  const groups = groupsOf(address);
  const [text, head] = [groups.join(":"), groups[0]];
  if (head === "2002") return dotted(groups.slice(1, 3));
  const isEmbedded =
    /^0:0:0:0:(?:0:0|0:ffff|ffff:0):/.test(text) ||
    /^64:ff9b:(?:0:0:0:0|1:[^:]+:[^:]+:[^:]+):/.test(text) ||
    /:(?:0|200):5efe:[^:]+:[^:]+$/.test(text);
  return isEmbedded ? dotted(groups.slice(6)) : null;
}

/** The eight groups of an IPv6 address, without leading zeros and without a zone. */
function groupsOf(address: string): string[] {
  const normal = new URL(`http://[${address.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  const [left = "", right] = normal.split("::");
  const parts = (text: string): string[] => (text === "" ? [] : text.split(":"));
  if (right === undefined) return parts(left);
  const [start, end] = [parts(left), parts(right)];
  return [...start, ...Array.from({ length: 8 - start.length - end.length }, () => "0"), ...end];
}

function dotted(groups: readonly string[]): string {
  return groups
    .map((group) => Number.parseInt(group, 16))
    .flatMap((value) => [value >> 8, value & 255])
    .join(".");
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", bits = ""] = network.split("/");
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}
