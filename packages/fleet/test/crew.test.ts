// A learner and workers that are good, slow, wrong, hostile or gone: what the learner gets, and whom it names.
import { setTimeout as sleep } from "node:timers/promises";
import { Crew, type CrewOptions, FleetError, Hub, type Member, type Transport, work } from "@iapo/fleet";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";

type Handle = Member["handle"];
const double: Handle = async (_role, header) => Uint8Array.of(2 * (header as number));
const unit = (header: number) => ({ role: "double", header, parse: parsed });

/** One byte. */
function parsed(bytes: Uint8Array): number {
  const [value] = bytes;
  if (value === undefined || bytes.length !== 1) throw new Error(`${bytes.length} bytes`);
  return value;
}

/** A crew over a hub, and what begins workers. */
async function opened(options: Partial<CrewOptions> = {}) {
  const hub = new Hub({ patience: options.patience });
  const news: string[] = [];
  const stop = new AbortController();
  const crew = await Crew.open({
    transport: hub.connect(),
    run: { name: "doubling" },
    refuse: (facts) => (facts === "good" ? undefined : `it computes with ${String(facts)}`),
    onNews: (text) => news.push(text),
    ...options,
  });
  onTestFinished(async () => {
    stop.abort();
    await crew.close();
  });
  const begin = (id: string, handle: Handle = double, facts = "good", transport: Transport = hub.connect()) => {
    const open = async (): Promise<Member> => ({ roles: ["double"], facts, handle, close: async () => {} });
    return { transport, ended: work({ transport, id, open, signal: stop.signal }) };
  };
  return { hub, crew, news, begin, stop };
}

test("without workers, and without one for a role, the caller does it itself", async () => {
  const { crew, begin } = await opened();
  expect(await crew.submit(unit(1))).toBeUndefined();
  begin("one");
  await crew.gather(1, AbortSignal.timeout(5000));
  expect(await crew.submit({ ...unit(1), role: "halve" })).toBeUndefined();
  expect(await crew.submit(unit(21))).toBe(42);
});

test("many units, some workers, one that is slammed: each unit once to the caller", async () => {
  const { crew, begin, news } = await opened();
  const slow: Handle = async (role, header, context) => {
    await sleep(5);
    return double(role, header, context);
  };
  const workers = ["one", "two", "three"].map((id) => begin(id, slow));
  await crew.gather(3, AbortSignal.timeout(5000));
  const asked = Array.from({ length: 60 }, (_, i) => crew.submit(unit(i)));
  await sleep(60);
  await workers[1]?.transport.close();
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 60 }, (_, i) => 2 * i));
  expect(news).toContain("worker two is gone");
});

test("a worker that computes with something else is told what, and does nothing", async () => {
  const { crew, begin, news } = await opened();
  let asked = 0;
  const other = begin(
    "other",
    async (...given) => {
      asked++;
      return double(...given);
    },
    "other weights",
  );
  await expect(other.ended).rejects.toMatchObject({ code: "refused", message: "it computes with other weights" });
  expect(crew.members()).toEqual([]);
  expect(news).toEqual(["worker other is refused: it computes with other weights"]);
  expect(asked).toBe(0);
});

test("a slow worker's unit is handed to one who waits, and both results must be the same", async () => {
  const { crew, begin } = await opened();
  const hold = Promise.withResolvers<void>();
  let isSlow = false;
  const handle: Handle = async (role, header, context) => {
    if (isSlow && header === 9) {
      isSlow = false;
      await hold.promise;
    }
    return double(role, header, context);
  };
  for (const id of ["one", "two"]) begin(id, handle);
  await crew.gather(2, AbortSignal.timeout(5000));
  await Promise.all([1, 2, 3, 4].map((i) => crew.submit(unit(i))));
  isSlow = true;
  expect(await crew.submit(unit(9))).toBe(18);
  hold.resolve();
  await sleep(50);
  const { copies, units } = await crew.endStep();
  expect([units, copies]).toEqual([5, 1]);
});

test("a unit that is larger than others is not slow where it takes longer than they", async () => {
  const { crew, begin } = await opened();
  const handle: Handle = async (role, header, context) => {
    await sleep(header === 9 ? 2500 : 5);
    return double(role, header, context);
  };
  for (const id of ["one", "two"]) begin(id, handle);
  await crew.gather(2, AbortSignal.timeout(5000));
  await Promise.all([1, 2, 3, 4].map((i) => crew.submit(unit(i))));
  expect(await crew.submit({ ...unit(9), size: 1000 })).toBe(18);
  expect((await crew.endStep()).copies).toBe(0);
});

test("two workers that give other bytes for a unit are both named, and the run ends", async () => {
  const { crew, begin } = await opened({ verify: 1 });
  begin("right");
  begin("wrong", async (_role, header) => Uint8Array.of(2 * (header as number) + 1));
  await crew.gather(2, AbortSignal.timeout(5000));
  const attempt = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      await crew.submit(unit(i));
      await sleep(10);
    }
    await crew.endStep();
  };
  const error = await attempt().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: "conflict" });
  expect((error as Error).message).toMatch(/(right.*wrong|wrong.*right).*same unit/);
});

test("a second opinion is another worker's, and a step does not end before it is there", async () => {
  const { crew, begin } = await opened({ verify: 1 });
  const did = new Map<unknown, string[]>();
  for (const id of ["one", "two", "three"])
    begin(id, async (role, header, context) => {
      did.set(header, [...(did.get(header) ?? []), id]);
      return double(role, header, context);
    });
  await crew.gather(3, AbortSignal.timeout(5000));
  await Promise.all(Array.from({ length: 30 }, (_, i) => crew.submit(unit(i))));
  const { units, copies } = await crew.endStep();
  expect([units, copies, did.size]).toEqual([30, 30, 30]);
  for (const ids of did.values()) expect(new Set(ids).size).toBe(2);
});

test("units of a later step stay out when a step ends", async () => {
  const { crew, begin } = await opened();
  const hold = Promise.withResolvers<void>();
  begin("one", async (role, header, context) => {
    if (header === 2) await hold.promise;
    return double(role, header, context);
  });
  await crew.gather(1, AbortSignal.timeout(5000));
  expect(await crew.submit(unit(1))).toBe(2);
  const later = [crew.submit(unit(2)), crew.submit(unit(3))];
  expect((await crew.endStep()).units).toBe(1);
  hold.resolve();
  expect(await Promise.all(later)).toEqual([4, 6]);
});

test("a worker asks its learner, and hears what it answers or what stood against it", async () => {
  const asked: unknown[] = [];
  const answer = async (question: unknown) => {
    asked.push(question);
    if (question === 3) throw new Error("nobody knows");
    return { half: Number(question) / 2 };
  };
  const { crew, begin, news } = await opened({ answer });
  begin("one", async (_role, header, { ask }) => Uint8Array.of(((await ask(header)) as { half: number }).half));
  await crew.gather(1, AbortSignal.timeout(5000));
  expect(await crew.submit(unit(8))).toBe(4);
  expect(await crew.submit(unit(3))).toBeUndefined();
  expect(asked).toEqual([8, 3]);
  expect(news.join()).toContain("failed at a unit, which is done here: nobody knows");
});

test("a worker whose result is none is sent away by name, and its unit is done by another", async () => {
  const { crew, begin, news } = await opened();
  const bad = begin("bad", async () => new Uint8Array(3));
  await crew.gather(1, AbortSignal.timeout(5000));
  const asked = crew.submit(unit(4));
  begin("good");
  await expect(bad.ended).rejects.toMatchObject({ code: "refused" });
  const result = await asked; // undefined where nobody else was there yet
  expect([8, undefined]).toContain(result);
  expect(news.join("\n")).toMatch(/worker bad is refused: its result of a unit for double is none: 3 bytes/);
});

test("a unit that fails comes back to the caller, and a worker that goes on failing is sent away", async () => {
  const { crew, begin, news } = await opened();
  const failing = begin("failing", async () => {
    throw new Error("no memory");
  });
  await crew.gather(1, AbortSignal.timeout(5000));
  for (let i = 0; i < 3; i++) expect(await crew.submit(unit(i))).toBeUndefined();
  await expect(failing.ended).rejects.toMatchObject({ code: "refused" });
  expect(
    news.filter((text) => text.includes("worker failing failed at a unit, which is done here: no memory")),
  ).toHaveLength(3);
});

test("another learner takes over: workers go on with it, and what the first had offered is withdrawn", async () => {
  const { hub, crew, begin } = await opened();
  const handled: unknown[] = [];
  begin("one", async (...given) => {
    handled.push(given[1]);
    return double(...given);
  });
  await crew.gather(1, AbortSignal.timeout(5000));
  expect(await crew.submit(unit(1))).toBe(2);
  await hub.connect().offer("halve", "left.over", new Uint8Array(1));
  const next = await Crew.open({ transport: hub.connect(), run: { name: "doubling" }, refuse: () => undefined });
  await next.gather(1, AbortSignal.timeout(5000));
  expect(await next.submit(unit(5))).toBe(10);
  expect(handled).toEqual([1, 5]);
  await next.close();
});

test("a signal ends the waiting, and a unit that nobody does any more comes back", async () => {
  const { crew, begin } = await opened();
  const never = begin("never", () => new Promise(() => {}));
  await crew.gather(1, AbortSignal.timeout(5000));
  const stop = new AbortController();
  const asked = crew.submit(unit(1), stop.signal);
  stop.abort(new Error("enough"));
  await expect(asked).rejects.toThrow("enough");
  const left = crew.submit(unit(2));
  await never.transport.close();
  expect(await left).toBeUndefined();
});

/** What a stranger may write: bytes, JSON, and what is nearly a message. */
const strange = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.json().map((json) => new TextEncoder().encode(json)),
  fc
    .record({
      ...{
        session: fc.string(),
        roles: fc.array(fc.string()),
        host: fc.string(),
        pid: fc.integer(),
        unit: fc.option(fc.string()),
      },
      ...{
        done: fc.integer(),
        error: fc.option(fc.string()),
        facts: fc.jsonValue(),
        worker: fc.constant("one"),
        blob: fc.string(),
      },
    })
    .map((record) => new TextEncoder().encode(JSON.stringify(record))),
);
const count = process.env.IAPO_FULL === "1" ? 10_000 : 500;

test("whatever strangers write under the keys of a run, the learner goes on and says so", {
  timeout: 300_000,
}, async () => {
  const { hub, crew, begin, news } = await opened();
  const stranger = hub.connect();
  begin("one");
  await crew.gather(1, AbortSignal.timeout(5000));
  const keys = fc.constantFrom("worker.x", "worker.one", `result.${Buffer.from("x").toString("hex")}.0.one`);
  await fc.assert(
    fc.asyncProperty(keys, strange, async (key, value) => {
      await stranger.set(key, value);
    }),
    { numRuns: count },
  );
  expect(await crew.submit(unit(6))).toBe(12);
  expect(news.length).toBeGreaterThan(count / 4);
  expect(() => crew.check()).not.toThrow(FleetError);
});

test("whatever strangers write to a worker, it goes on with its learner", { timeout: 300_000 }, async () => {
  const { hub, crew } = await opened();
  const stranger = hub.connect();
  const news: string[] = [];
  const stop = new AbortController();
  const open = async (): Promise<Member> => ({
    ...{ roles: ["double"], facts: "good", handle: double, close: async () => {} },
  });
  const onNews = (text: string): void => void news.push(text);
  const ended = work({ transport: hub.connect(), id: "one", open, signal: stop.signal, onNews });
  await crew.gather(1, AbortSignal.timeout(5000));
  const keys = fc.constantFrom("run", "admit.one", `answer.${Buffer.from("x").toString("hex")}.one.0`);
  let offered = 0;
  await fc.assert(
    fc.asyncProperty(keys, strange, async (key, value) => {
      await stranger.set(key, value);
      if (value.length % 10 === 0) await stranger.offer("double", `strange.${offered++}`, value);
    }),
    { numRuns: count },
  );
  expect(await crew.submit(unit(6))).toBe(12);
  expect(news.length).toBeGreaterThan(count / 4);
  stop.abort();
  await ended;
});
