// Which certificates are trusted besides the built-in ones. A file that does not hold any is an error before
// anything is fetched: the runtime would pass over it in silence, and the failure would look like the server's.

import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { LuciError } from "../domain/errors.ts";
import { errnoOf } from "./disk-error.ts";
import type { Environment } from "./http-environment.ts";

/** Variables the runtime reads certificates from by itself. */
export const TRUST_VARIABLES = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] as const;

const MAX_BYTES = 16 * 1_024 * 1_024;
const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const HINT = "It has to be a file in PEM form: -----BEGIN CERTIFICATE----- …";

/** A file of certificates that was read and understood. */
export interface CertificateFile {
  readonly path: string;
  readonly pem: string;
  readonly count: number;
  /** How many of them are no longer, or not yet, valid. */
  readonly outdated: number;
}

/**
 * Reads a PEM file of certificates, every one of them understood. `named` says where its path stands.
 * @throws LuciError E_CONFIG when it is missing, unreadable or holds anything else
 */
export async function readCertificates(path: string, named: string): Promise<CertificateFile> {
  return parseCertificates(await readFile(path, named), { path, named });
}

/** The same for a text that was read already. @throws LuciError E_CONFIG */
export function parseCertificates(
  text: string,
  { path, named }: { path: string; named: string },
): CertificateFile {
  const blocks = text.match(BLOCK) ?? [];
  const unusable = (reason: string): LuciError =>
    new LuciError("E_CONFIG", `${path} (${named}) ${reason}`, { hint: HINT });
  if (blocks.length === 0) throw unusable("holds no certificate");
  const nowMs = Date.now();
  const certificates = blocks.map((block, index) => {
    const certificate = parse(block);
    if (certificate === null) throw unusable(`holds a broken certificate, number ${index + 1}`);
    return certificate;
  });
  const outdated = certificates.filter(
    ({ validFrom, validTo }) => Date.parse(validFrom) > nowMs || Date.parse(validTo) < nowMs,
  );
  return { path, pem: blocks.join("\n"), count: blocks.length, outdated: outdated.length };
}

/**
 * The certificates to hand to the runtime, or null to leave them to it: with a file of our own, these are
 * the built-in ones, that file's, and those of the variables.
 * @throws LuciError E_CONFIG for any of these files that is of no use
 */
export type Trust = () => Promise<readonly string[] | null>;

/** Reads the files once, on first need. */
export function createTrust(caFile: string | null, environment: Environment): Trust {
  let trust: ReturnType<Trust> | null = null;
  return () => (trust ??= readTrust(caFile, environment));
}

async function readTrust(caFile: string | null, environment: Environment): Promise<readonly string[] | null> {
  const named: [string, string][] = TRUST_VARIABLES.flatMap((variable) => {
    const path = environment[variable];
    return path ? [[path, variable] as [string, string]] : [];
  });
  if (caFile !== null) named.push([caFile, "ca-file"]);
  const files = await Promise.all(named.map(([path, name]) => readCertificates(path, name)));
  return caFile === null ? null : [...rootCertificates, ...files.map(({ pem }) => pem)];
}

async function readFile(path: string, named: string): Promise<string> {
  try {
    const file = Bun.file(path);
    if (file.size > MAX_BYTES)
      throw new LuciError("E_CONFIG", `${path} (${named}) is too large to be a file of certificates`, {
        hint: HINT,
      });
    return await file.text();
  } catch (cause) {
    if (cause instanceof LuciError) throw cause;
    const reason = errnoOf(cause) === "ENOENT" ? "there is no such file" : "it cannot be read";
    throw new LuciError("E_CONFIG", `Cannot take certificates from ${path} (${named}): ${reason}`, {
      hint: `Correct ${named}, or unset it`,
      cause,
    });
  }
}

function parse(block: string): X509Certificate | null {
  try {
    return new X509Certificate(block);
  } catch {
    return null;
  }
}
