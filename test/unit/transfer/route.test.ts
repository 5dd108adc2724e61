import { expect, test } from "bun:test";
import { LuciError } from "../../../src/domain/errors.ts";
import type { Located } from "../../../src/domain/plan.ts";
import type { Answer } from "../../../src/platform/http-answer.ts";
import { Route } from "../../../src/transfer/route.ts";

const never = new AbortController().signal;
const expired = new LuciError("E_AUTH", "403");

function makeRoute() {
  let asked = 0;
  const route = new Route(
    async () => ({ url: `https://hub.example/file?${(asked += 1)}`, headers: { authorization: "x" } }),
    never,
  );
  return { route, asked: () => asked };
}

/** An answer of the CDN after a redirect from the hub. */
const redirectedTo = (url: string): Answer => ({ url, hops: [{}, {}] }) as unknown as Answer;

test("the origin is asked until it sends us on, then the address it named, without the origin's headers", async () => {
  const { route, asked } = makeRoute();
  expect((await route.next()).headers).toEqual({ authorization: "x" });
  route.learn({ url: "https://hub.example/file", hops: [{}] } as unknown as Answer);
  await route.next();
  expect(asked()).toBe(2);
  route.learn(redirectedTo("https://cdn.example/signed"));
  expect(await route.next()).toEqual({ url: "https://cdn.example/signed", headers: {} });
  expect(asked()).toBe(2);
});

test("an address that had its day is left once, whoever notices", async () => {
  const { route } = makeRoute();
  route.learn(redirectedTo("https://cdn.example/old"));
  const [one, other] = [await route.next(), await route.next()];
  expect(route.judge(expired, one)).toBe("elsewhere");
  expect(route.judge(expired, other)).toBe("elsewhere");
  expect((await route.next()).url).toStartWith("https://hub.example/");
});

test("one connection asks the origin anew, the others wait for its answer", async () => {
  const { route, asked } = makeRoute();
  route.learn(redirectedTo("https://cdn.example/old"));
  route.judge(expired, await route.next());
  const first = await route.next();
  const second = route.next();
  expect(asked()).toBe(1);
  route.learn(redirectedTo("https://cdn.example/new"));
  expect((await second).url).toBe("https://cdn.example/new");
  route.ended(first);
  expect(asked()).toBe(1);
});

test("when the one that asks fails, the next one asks", async () => {
  const { route, asked } = makeRoute();
  route.learn(redirectedTo("https://cdn.example/old"));
  route.judge(expired, await route.next());
  const first = await route.next();
  const second = route.next();
  route.ended(first);
  expect((await second).url).toStartWith("https://hub.example/");
  expect(asked()).toBe(2);
});

test("without progress an address is fetched anew three times, then its refusal is a server's trouble", async () => {
  const { route } = makeRoute();
  for (let round = 0; round < 3; round += 1) {
    route.learn(redirectedTo(`https://cdn.example/${round}`));
    expect(route.judge(expired, await route.next())).toBe("elsewhere");
  }
  route.learn(redirectedTo("https://cdn.example/last"));
  expect(route.judge(expired, await route.next())).toMatchObject({ code: "E_SERVER", retryable: true });
  // The origin is asked again all the same: it may know a better place by then.
  expect((await route.next()).url).toStartWith("https://hub.example/");
  route.learn(redirectedTo("https://cdn.example/works"));
  route.works(64 * 1024);
  expect(route.judge(expired, await route.next())).toBe("elsewhere");
});

test("bytes that trickle in buy no further addresses", async () => {
  const { route } = makeRoute();
  for (let round = 0; round < 3; round += 1) {
    route.learn(redirectedTo(`https://cdn.example/${round}`));
    route.works(1);
    expect(route.judge(expired, await route.next())).toBe("elsewhere");
  }
  route.learn(redirectedTo("https://cdn.example/last"));
  route.works(1);
  expect(route.judge(expired, await route.next())).toMatchObject({ code: "E_SERVER" });
});

test("what the origin itself refuses, and what is no refusal, is taken as it is", async () => {
  const { route } = makeRoute();
  expect(route.judge(expired, await route.next())).toBe(expired);
  route.learn(redirectedTo("https://cdn.example/signed"));
  const cut = new LuciError("E_NETWORK", "cut");
  expect(route.judge(cut, await route.next())).toBe(cut);
});

test("a redirect target in trouble is given its time, and the origin is asked after that", async () => {
  const { route } = makeRoute();
  route.learn(redirectedTo("https://cdn.example/busy"));
  const busy = new LuciError("E_SERVER", "503", { retryAfterMs: 1_000 });
  expect(route.judge(busy, await route.next())).toBe(busy);
  expect((await route.next()).url).toStartWith("https://hub.example/");
});

/** A route whose origin redirects, one connection asking it anew and another waiting for the answer. */
async function makeWaiting(signal: AbortSignal) {
  const questions: PromiseWithResolvers<Located>[] = [];
  const locate = async (): Promise<Located> => {
    const question = Promise.withResolvers<Located>();
    questions.push(question);
    return question.promise;
  };
  const route = new Route(locate, signal);
  route.learn(redirectedTo("https://cdn.example/old"));
  route.judge(expired, await route.next());
  return { questions, first: route.next(), second: route.next() };
}

test("when the source has no answer for the one that asks, the next one asks", async () => {
  const { questions, first, second } = await makeWaiting(never);
  questions[0]!.reject(expired);
  expect(await first.catch((error: unknown) => error)).toBe(expired);
  await Bun.sleep(0);
  expect(questions).toHaveLength(2);
  questions[1]!.resolve({ url: "https://hub.example/again", headers: {} });
  expect((await second).url).toBe("https://hub.example/again");
});

test("waiting for another's answer ends with an interrupt", async () => {
  const interrupt = new AbortController();
  const { questions, second } = await makeWaiting(interrupt.signal);
  const reason = new Error("stop");
  interrupt.abort(reason);
  expect(await second.catch((error: unknown) => error)).toBe(reason);
  expect(questions).toHaveLength(1);
});
