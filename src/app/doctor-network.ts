// What stands between luci and the hub: proxies, certificates, the token, and the hub itself. Secrets are
// looked at and never repeated.

import { LuciError } from "../domain/errors.ts";
import type { DoctorCheck } from "../domain/doctor.ts";
import {
  checkSocks,
  checkVerification,
  proxyVariables,
  type Environment,
} from "../platform/http-environment.ts";
import { readProxy } from "../platform/http-proxy.ts";
import { TRUST_VARIABLES, readCertificates } from "../platform/http-trust.ts";
import { type HubHealth, askHub } from "../sources/huggingface-health.ts";
import { examine, fine, problem, warning } from "./checks.ts";
import type { Context } from "./context.ts";

const HUB_LIMIT_MS = 10_000;
/** Further apart, one of the two clocks is wrong. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** The hub's token, and what is to be said of where it lies. */
export interface TokenFound {
  readonly token: string | null;
  readonly notices: readonly string[];
}

/** Variables and files that decide how luci connects. Asks nobody. */
export async function examineSurroundings(
  environment: Environment,
  caFile: string | null,
): Promise<DoctorCheck[]> {
  return [
    await examine("proxy", () => examineProxies(environment)),
    await examine("certificates", () => examineTrust(environment, caFile)),
  ];
}

function examineProxies(environment: Environment): DoctorCheck {
  checkSocks(environment);
  const proxies = proxyVariables(environment)
    .filter(([name]) => !/^ftp/i.test(name))
    .map(([name, value]) => {
      const proxy = readProxy(name, value.trim());
      return `${name} is ${proxy.name}${proxy.hasLogin ? " (with a login)" : ""}`;
    });
  if (proxies.length === 0) return fine("proxy", "none: luci connects directly");
  const exempt = environment["no_proxy"]?.trim() || environment["NO_PROXY"]?.trim();
  return fine("proxy", [...proxies, ...(exempt ? [`not for ${exempt}`] : [])].join("; "));
}

async function examineTrust(environment: Environment, caFile: string | null): Promise<DoctorCheck> {
  checkVerification(environment);
  const places = [
    ...TRUST_VARIABLES.map((name) => [name, environment[name] ?? ""] as const),
    ["ca-file", caFile ?? ""] as const,
  ];
  const told: string[] = [];
  const outdated: string[] = [];
  for (const [name, path] of places) {
    if (path === "") continue;
    const file = await readCertificates(path, name);
    told.push(`${file.count} from ${path} (${name})`);
    // Collections of a system always hold some that have run out.
    if (file.outdated === file.count) outdated.push(path);
  }
  if (outdated.length > 0) {
    const finding = `Every certificate in ${outdated.join(" and ")} has run out, or is not valid yet`;
    return warning(
      "certificates",
      finding,
      "Get new ones from whoever runs that network, and check the clock",
    );
  }
  return fine("certificates", ["checked; the built-in ones are trusted", ...told].join(", and "));
}

/** The hub, and whether it takes the token. */
export async function examineHub(
  context: Context,
  options: {
    readonly offline: boolean;
    readonly signal: AbortSignal;
    /** A problem that lets luci fetch nothing; null where there is none. */
    readonly blockedBy: DoctorCheck | null;
    findToken(): Promise<TokenFound>;
  },
): Promise<DoctorCheck[]> {
  const { host, protocol } = new URL(context.settings.hubEndpoint);
  let [found, health]: [TokenFound | null, HubHealth | null] = [null, null];
  const token = await examine("token", async () => {
    found = await options.findToken();
    return judgeToken(found, null);
  });
  const { offline, blockedBy, signal } = options;
  if (offline) return [fine("hub", `${host} was not asked (--offline)`), token];
  if (blockedBy !== null) {
    const advice = `Mend that first (see ${blockedBy.name})`;
    return [warning("hub", `${host} was not asked, since nothing would be fetched now`, advice), token];
  }
  const hub = await examine("hub", async () => {
    health = await ask(context, { token: found?.token ?? null, signal });
    return judgeHub(protocol === "https:" ? `${host} is trusted and` : host, health);
  });
  return [hub, found === null ? token : judgeToken(found, health)];
}

async function ask(
  { http, settings }: Context,
  { token, signal }: { token: string | null; signal: AbortSignal },
): Promise<HubHealth> {
  const { hubEndpoint: endpoint } = settings;
  const limit = AbortSignal.timeout(HUB_LIMIT_MS);
  try {
    return await askHub(http, { endpoint, token, signal: AbortSignal.any([signal, limit]) });
  } catch (thrown) {
    signal.throwIfAborted();
    if (!limit.aborted) throw withoutInstall(thrown);
    const late = `${new URL(endpoint).host} did not answer within ${HUB_LIMIT_MS / 1000} s`;
    throw new LuciError("E_STALLED", late, { hint: "Check the connection, and the proxy if there is one" });
  }
}

/** An install would keep what has arrived; here nothing was to arrive. */
function withoutInstall(thrown: unknown): unknown {
  if (!(thrown instanceof LuciError) || thrown.code !== "E_NETWORK") return thrown;
  const hint = "Check the connection, and HF_ENDPOINT if it is set";
  return new LuciError(thrown.code, thrown.message, { hint, cause: thrown });
}

function judgeHub(who: string, { elapsedMs, clockAheadMs }: HubHealth): DoctorCheck {
  const answered = `${who} answered in ${Math.max(1, Math.round(elapsedMs))} ms`;
  if (clockAheadMs !== null && Math.abs(clockAheadMs) > CLOCK_TOLERANCE_MS) {
    const minutes = Math.round(Math.abs(clockAheadMs) / 60_000);
    const way = clockAheadMs > 0 ? "ahead of" : "behind";
    return warning("hub", `${answered}; this machine's clock is ${minutes} min ${way} it`, "Set the clock");
  }
  return fine("hub", answered);
}

function judgeToken({ token, notices }: TokenFound, health: HubHealth | null): DoctorCheck {
  if (health?.token === "refused") {
    return problem("token", "E_AUTH", {
      finding: "The hub does not accept the token",
      advice: "Make a new one on the hub's settings page, and set HF_TOKEN",
    });
  }
  const [notice] = notices;
  if (notice !== undefined) {
    const [finding = "", ...advice] = notice.split(": ");
    return warning("token", finding, advice.join(": "));
  }
  if (token === null) return fine("token", "none: public models only");
  if (health?.token === "accepted") return fine("token", "found, and the hub accepts it");
  return fine("token", "found; whether the hub accepts it is not known");
}
