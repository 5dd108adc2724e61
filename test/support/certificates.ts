// A small world of certificates, made anew for each test file by openssl: an authority nobody knows, one below
// it, and servers with something right or wrong about them. All for localhost and 127.0.0.1 unless said.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a server presents. */
export interface Pair {
  readonly key: string;
  readonly cert: string;
}

export interface Certificates {
  /** The authority's certificate, as a file and as text. */
  readonly caFile: string;
  readonly ca: string;
  /** Signed by the authority. */
  readonly good: Pair;
  /** Signed by it, for other.example. */
  readonly otherName: Pair;
  /** Signed by it, run out yesterday. */
  readonly expired: Pair;
  /** Signed by an authority between, which is not sent along. */
  readonly withoutMiddle: Pair;
  /** The same, with the one between. */
  readonly withMiddle: Pair;
  /** Signed by nobody but itself. */
  readonly selfSigned: Pair;
}

const PROGRAM = "openssl";
const HERE = "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:files.test";
const LONG = 36_500;

/** Makes them in a folder. @throws Error when openssl cannot */
export function makeCertificates(folder: string): Certificates {
  const run = (...args: string[]): void => {
    execFileSync(PROGRAM, args, { cwd: folder, stdio: "pipe" });
  };
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const makeKey = (name: string): void =>
    run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${name}.key`);
  const sign = (
    name: string,
    by: string,
    { extension, days = LONG }: { extension: string; days?: number },
  ) => {
    makeKey(name);
    writeFileSync(join(folder, `${name}.ext`), `${extension}\n`);
    run("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${name}`, "-out", `${name}.csr`);
    const signer = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-CAcreateserial"];
    const output = ["-days", String(days), "-extfile", `${name}.ext`, "-out", `${name}.pem`];
    run("x509", "-req", "-in", `${name}.csr`, ...signer, ...output);
    return { key: read(`${name}.key`), cert: read(`${name}.pem`) };
  };
  const signItself = (name: string, extension: string): void => {
    makeKey(name);
    const subject = ["-subj", `/CN=${name}`, "-addext", extension];
    run(
      "req",
      "-x509",
      "-new",
      "-key",
      `${name}.key`,
      ...subject,
      "-days",
      String(LONG),
      "-out",
      `${name}.pem`,
    );
  };
  signItself("ca", "keyUsage=keyCertSign");
  sign("middle", "ca", { extension: "basicConstraints=critical,CA:TRUE" });
  const good = sign("good", "ca", { extension: `subjectAltName=${HERE}` });
  const deep = sign("deep", "middle", { extension: `subjectAltName=${HERE}` });
  signItself("own", `subjectAltName=${HERE}`);
  return {
    caFile: join(folder, "ca.pem"),
    ca: read("ca.pem"),
    good,
    otherName: sign("other", "ca", { extension: "subjectAltName=DNS:other.example" }),
    expired: sign("expired", "ca", { extension: `subjectAltName=${HERE}`, days: -1 }),
    withoutMiddle: deep,
    withMiddle: { key: deep.key, cert: deep.cert + read("middle.pem") },
    selfSigned: { key: read("own.key"), cert: read("own.pem") },
  };
}
