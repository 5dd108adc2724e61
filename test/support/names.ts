// Names that only one program sees: its own hosts file, laid over the system's in a mount namespace of its own.
// No name server is asked unless the test says so, and then one that does not exist.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execute } from "./real-disk.ts";

export interface Names {
  /** To be put before the program: `startLuci(args, { wrapper })`. */
  readonly wrapper: readonly string[];
  /** Changes the names while the program runs. */
  set(hosts: Readonly<Record<string, readonly string[]>>): Promise<void>;
}

const OWN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"];

/** Tries it. @throws Error when this machine does not let a program have its own names */
export async function tryOwnNames(): Promise<void> {
  await execute([...OWN_NAMESPACE, "mount", "--bind", "/etc/hosts", "/etc/hosts"]);
}

/** Prepares names in a folder. `server`: `absent` for no name server at all, `silent` for one nobody runs. */
export async function ownNames(folder: string, server: "absent" | "silent" = "absent"): Promise<Names> {
  const at = (name: string): string => join(folder, name);
  const set: Names["set"] = (hosts) => {
    const lines = Object.entries(hosts).flatMap(([name, addresses]) =>
      addresses.map((address) => `${address} ${name}`),
    );
    // Written in place: another file of the same name would not be the one that is mounted.
    return writeFile(at("hosts"), ["127.0.0.1 localhost", ...lines, ""].join("\n"));
  };
  await set({});
  await writeFile(at("nsswitch"), `hosts: files${server === "silent" ? " dns" : ""}\n`);
  await writeFile(at("resolv"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
  const mounts = [
    `mount --bind '${at("hosts")}' /etc/hosts`,
    `mount --bind '${at("nsswitch")}' /etc/nsswitch.conf`,
    `mount --bind '${at("resolv")}' /etc/resolv.conf`,
  ];
  return { wrapper: [...OWN_NAMESPACE, "sh", "-c", `${mounts.join(" && ")} && exec "$@"`, "sh"], set };
}
