// Servers whose certificates, or whose TLS, are not to be trusted; and steps from https to http.
// needs: openssl (openssl)

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, type Server, createServer as createPlainServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TlsOptions, createServer } from "node:tls";
import { LuciError } from "../../src/domain/errors.ts";
import { createHttp } from "../../src/platform/http.ts";
import { type Certificates, type Pair, makeCertificates } from "../support/certificates.ts";

const signal = new AbortController().signal;
const servers: Server[] = [];
let folder: string;
let known: Certificates;
let asked = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "luci-tls-"));
  known = makeCertificates(folder);
});

afterAll(async () => {
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

/** A server on a free port that answers every request with a page, or with a step to http for `/step`. */
async function serve(pair: Pair, options: TlsOptions = {}): Promise<string> {
  const server = createServer({ ...pair, ...options }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data: Buffer) => {
      asked += 1;
      const location = "location: http://127.0.0.1:1/plain?sig=secret\r\n";
      const isStep = data.toString().startsWith("GET /step");
      const head = isStep ? `302 Found\r\n${location}` : "200 OK\r\ncontent-type: application/json\r\n";
      socket.end(`HTTP/1.1 ${head}content-length: 9\r\nconnection: close\r\n\r\n"trusted"`);
    });
  });
  server.on("tlsClientError", () => undefined);
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function http(caFile: string | null = null, environment: Record<string, string> = {}) {
  return createHttp({ userAgent: "luci-test", stallMs: 60_000, retries: 3, environment, caFile });
}

async function failure(pending: Promise<unknown>): Promise<LuciError> {
  const thrown: unknown = await pending.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(LuciError);
  return thrown as LuciError;
}

/** Every failure of trust: one attempt, exit 5, its reason and its advice in words, nothing asked. */
async function refused(url: string, { reason, hint }: { reason: string; hint: string }): Promise<void> {
  const before = asked;
  for (const error of [
    await failure(http(known.caFile).json(url, { signal })),
    await failure(http(known.caFile).open(url, { signal })),
  ]) {
    expect(error).toMatchObject({ code: "E_TLS", exit: 5, retryable: false });
    expect(error.message).toContain(reason);
    expect(error.message).toContain(new URL(url).host);
    expect(error.hint).toContain(hint);
  }
  expect(asked).toBe(before);
}

describe("a certificate", () => {
  test("whose signer nobody knows", async () => {
    const before = asked;
    const error = await failure(http().json(await serve(known.good), { signal }));
    expect(error).toMatchObject({ code: "E_TLS", exit: 5 });
    expect(error.message).toContain("nobody we trust signed its certificate");
    expect(error.hint).toContain("--ca-file");
    expect(asked).toBe(before);
  });

  test("that signed itself", async () => {
    const url = await serve(known.selfSigned);
    await refused(url, { reason: "nobody we trust signed its certificate", hint: "--ca-file" });
  });

  test("that has expired", async () => {
    await refused(await serve(known.expired), { reason: "has expired", hint: "date" });
  });

  test("for another name", async () => {
    await refused(await serve(known.otherName), { reason: "is for another name", hint: "address" });
  });

  test("whose signer in between is not sent along", async () => {
    const url = await serve(known.withoutMiddle);
    await refused(url, { reason: "a certificate in between is missing", hint: "--ca-file" });
    expect((await http(known.caFile).json(await serve(known.withMiddle), { signal })).data).toBe("trusted");
  });

  test("from a named authority is trusted, for metadata and bodies", async () => {
    const url = await serve(known.good);
    expect((await http(known.caFile).json(url, { signal })).data).toBe("trusted");
    const answer = await http(known.caFile).open(url, { signal });
    expect(answer.status).toBe(200);
    await answer.discard();
  });
});

describe("a server", () => {
  test("that speaks nothing newer than TLS 1.1", async () => {
    const url = await serve(known.good, { minVersion: "TLSv1", maxVersion: "TLSv1.1" });
    await refused(url, { reason: "nothing newer than TLS 1.1", hint: "address and its port" });
  });

  test("that speaks plain HTTP on its https port", async () => {
    const plain = createPlainServer((socket) => {
      socket.on("error", () => undefined);
      socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
    });
    await refused(await listen(plain), {
      reason: "does not speak TLS on this port",
      hint: "address and its port",
    });
  });

  test("that leads from https to http", async () => {
    const url = await serve(known.good);
    const error = await failure(http(known.caFile).open(`${url}step`, { signal }));
    expect(error).toMatchObject({ code: "E_UNSAFE_URL", exit: 10 });
    expect(error.message).toContain("from https to http");
    expect(error.message).not.toContain("secret");
  });
});

describe("a file of certificates", () => {
  test.each(["ca-file", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"])(
    "in %s that is of no use is a setting to correct, before anything is asked",
    async (place) => {
      await Bun.write(join(folder, "garbage.pem"), "hello");
      const half = known.ca.slice(0, known.ca.length / 2);
      await Bun.write(join(folder, "broken.pem"), `${half}\n-----END CERTIFICATE-----\n`);
      const url = await serve(known.good);
      const before = asked;
      for (const name of ["none.pem", "garbage.pem", "broken.pem", "."]) {
        const path = join(folder, name);
        const one = place === "ca-file" ? http(path) : http(null, { [place]: path });
        for (const pending of [one.json(url, { signal }), one.open(url, { signal })]) {
          const error = await failure(pending);
          expect(error).toMatchObject({ code: "E_CONFIG", exit: 2 });
          expect(error.message).toContain(path);
          expect(error.message).toContain(place);
        }
      }
      expect(asked).toBe(before);
    },
  );

  test("stands beside those of the variables, not in their place", async () => {
    const url = await serve(known.good);
    const own = join(folder, "own.pem");
    for (const variable of ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"]) {
      const both = http(own, { [variable]: known.caFile });
      expect((await both.json(url, { signal })).data).toBe("trusted");
      expect((await both.json(await serve(known.selfSigned), { signal })).data).toBe("trusted");
    }
  });
});

test("a variable that switches verification off is refused, and nothing is asked", async () => {
  const url = await serve(known.good);
  const before = asked;
  const error = await failure(http(null, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }).json(url, { signal }));
  expect(error).toMatchObject({ code: "E_TLS", exit: 5 });
  expect(error.message).toContain("NODE_TLS_REJECT_UNAUTHORIZED");
  expect(asked).toBe(before);
});

test("verification stays on even where the runtime alone was told to switch it off", async () => {
  const url = await serve(known.good);
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  try {
    expect((await failure(http().json(url, { signal }))).code).toBe("E_TLS");
    expect((await failure(http().open(url, { signal }))).code).toBe("E_TLS");
  } finally {
    delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
  }
});
