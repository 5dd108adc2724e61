// Certificates nobody vouches for, and steps from https to http.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LuciError } from "../../src/domain/errors.ts";
import { createHttp } from "../../src/platform/http.ts";

// Made for these tests, for localhost only; signed by itself, valid for a hundred years.
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWGDP5PJ1loCOtSRb
rNxQi2IxQW/fEGTIcFV0pLukfoehRANCAASE2rnahwKG++XmEhgLh6BCgQyJk/Og
t/UrzSB36gZ3pXlWMfrR+oZpGIrfeo67+KyjbbYdV1US/my1TkmFDCrn
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUSD4qzaIimw+6Sy9IAzHSZ1h7zcEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEwNTc1MVoYDzIxMjYxMDI4
MTA1NzUxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASE2rnahwKG++XmEhgLh6BCgQyJk/Ogt/UrzSB36gZ3pXlWMfrR+oZp
GIrfeo67+KyjbbYdV1US/my1TkmFDCrno28wbTAdBgNVHQ4EFgQUdwTcC9woeE8/
nnfG4Qjl8mpdh+EwHwYDVR0jBBgwFoAUdwTcC9woeE8/nnfG4Qjl8mpdh+EwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgFY9Ztcw501oa6cPcBvzsVKIvX65CqINtuBTD0gdVIAoCIAdU
MqvqDhjZOPv8ANL1H8WEh5rJkf4czPhQtHTPEd3M
-----END CERTIFICATE-----`;

const signal = new AbortController().signal;
let server: Bun.Server<undefined>;
let folder: string;
let asked = 0;

beforeAll(async () => {
  server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { key: KEY, cert: CERTIFICATE },
    fetch: (request) => {
      asked += 1;
      const isStep = request.url.endsWith("/step");
      return isStep ? Response.redirect("http://127.0.0.1:1/plain?sig=secret") : Response.json("trusted");
    },
  });
  folder = await mkdtemp(join(tmpdir(), "luci-tls-"));
  await Bun.write(join(folder, "ca.pem"), CERTIFICATE);
});

afterAll(async () => {
  await server.stop(true);
  await rm(folder, { recursive: true });
});

function http(caFile?: string) {
  const options = { userAgent: "luci-test", stallMs: 5_000, retries: 3, environment: {} };
  return createHttp(caFile === undefined ? options : { ...options, caFile: join(folder, caFile) });
}

async function failure(pending: Promise<unknown>): Promise<LuciError> {
  const thrown: unknown = await pending.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(LuciError);
  return thrown as LuciError;
}

test("an unknown signer is refused at once, with the reason", async () => {
  const error = await failure(http().json(`https://127.0.0.1:${server.port}/`, { signal }));
  expect(error.code).toBe("E_TLS");
  expect(error.message).toContain("signed its certificate");
  expect(asked).toBe(0);
});

test("a named certificate is trusted, for metadata and bodies", async () => {
  const url = `https://127.0.0.1:${server.port}/`;
  expect((await http("ca.pem").json(url, { signal })).data).toBe("trusted");
  const answer = await http("ca.pem").open(url, { signal });
  expect(answer.status).toBe(200);
  await answer.discard();
});

test("a certificate file that is not there is a setting to correct", async () => {
  const error = await failure(http("none.pem").json(`https://127.0.0.1:${server.port}/`, { signal }));
  expect(error.code).toBe("E_CONFIG");
});

test("a step from https to http is refused", async () => {
  const error = await failure(http("ca.pem").open(`https://127.0.0.1:${server.port}/step`, { signal }));
  expect(error.code).toBe("E_UNSAFE_URL");
  expect(error.message).toContain("from https to http");
  expect(error.message).not.toContain("secret");
});
