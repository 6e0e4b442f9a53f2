// One contract for every transport: the queue hands each unit to one worker and to another when that one falls silent, keys are seen as they
// change, blobs come back as they were or not at all.
import { setTimeout as sleep } from "node:timers/promises";
import { hashOf, type Transport } from "@iapo/fleet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fleet, fleets } from "./support/fleets.ts";

/** Much longer than a busy machine holds a process up. */
const PATIENCE = 2000;
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const soon = (): AbortSignal => AbortSignal.timeout(20_000);

describe.each(fleets)("$name", ({ isThere, open }) => {
  let fleet: Fleet;
  let one: Transport;
  let other: Transport;

  beforeAll(async () => {
    if (!isThere) return;
    fleet = await open(PATIENCE);
    one = await fleet.join();
    other = await fleet.join();
  });
  afterAll(async () => isThere && fleet[Symbol.asyncDispose]());

  test.skipIf(!isThere)("units go to whoever asks, in order, once", async () => {
    for (const name of ["a.1", "a.2", "a.3"]) await fleet.learner.offer("dig", name, bytes(`body of ${name}`));
    const first = await one.claim(["dig"], soon());
    const second = await other.claim(["dig", "fill"], soon());
    expect([first.unit, text(first.body), second.unit]).toEqual(["a.1", "body of a.1", "a.2"]);
    await first.done();
    await second.done();
    const third = await other.claim(["fill", "dig"], soon());
    expect(third.unit).toBe("a.3");
    await third.done();
    await expect(one.claim(["dig"], AbortSignal.timeout(300))).rejects.toThrow();
  });

  test.skipIf(!isThere)("of the first queue that has a unit, though another was offered before", async () => {
    await fleet.learner.offer("fill", "f.1", bytes("first"));
    await fleet.learner.offer("dig", "f.2", bytes("second"));
    for (const name of ["f.2", "f.1"]) {
      const claim = await one.claim(["dig", "fill"], soon());
      expect([claim.unit, claim.delivery]).toEqual([name, 1]);
      await claim.done();
    }
  });

  test.skipIf(!isThere)("who waits gets a unit that is offered", async () => {
    const waiting = one.claim(["dig"], soon());
    await sleep(100);
    await fleet.learner.offer("dig", "b.1", bytes("late"));
    const claim = await waiting;
    expect(claim.unit).toBe("b.1");
    await claim.done();
  });

  test.skipIf(!isThere)(
    "a unit that is given back, or whose worker is silent, goes to another; one that is worked on does not",
    async () => {
      await fleet.learner.offer("dig", "c.1", bytes("given back"));
      await (await one.claim(["dig"], soon())).release();
      const back = await other.claim(["dig"], soon());
      expect(back.unit).toBe("c.1");
      expect(back.delivery).toBe(2);
      for (let i = 0; i < 9; i++) {
        await sleep(PATIENCE / 6);
        back.working();
      }
      await expect(one.claim(["dig"], AbortSignal.timeout(300))).rejects.toThrow();
      const silent = await one.claim(["dig"], soon());
      expect(silent.unit).toBe("c.1");
      await silent.done();
      await expect(one.claim(["dig"], AbortSignal.timeout(PATIENCE * 1.2))).rejects.toThrow();
    },
  );

  test.skipIf(!isThere)("what is withdrawn is handed to nobody", async () => {
    await fleet.learner.offer("dig", "d.1", bytes("one"));
    await fleet.learner.offer("dig", "d.2", bytes("two"));
    const taken = await one.claim(["dig"], soon());
    await fleet.learner.withdraw();
    await taken.done();
    await expect(other.claim(["dig"], AbortSignal.timeout(300))).rejects.toThrow();
    await fleet.learner.offer("dig", "d.3", bytes("three"));
    const next = await other.claim(["dig"], soon());
    expect(next.unit).toBe("d.3");
    await next.done();
  });

  test.skipIf(!isThere)("a watch sees a key as it stands, as it changes, and that it goes", async () => {
    const seen: [string, string | undefined][] = [];
    await one.set("news.x", bytes("1"));
    const end = await other.watch("news.", (key, value) => seen.push([key, text(value)]));
    await expect.poll(() => seen, { timeout: 20_000 }).toEqual([["news.x", "1"]]);
    await one.set("news.x", bytes("2"));
    await one.set("newsletter", bytes("not below"));
    await one.set("news.y", bytes("3"));
    await one.unset("news.x");
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(4);
    expect(seen.slice(1)).toEqual([
      ["news.x", "2"],
      ["news.y", "3"],
      ["news.x", undefined],
    ]);
    end();
    await one.set("news.y", bytes("4"));
    await sleep(200);
    expect(seen.length).toBe(4);
  });

  test.skipIf(!isThere)("a blob comes back byte for byte under its hash, also one of many megabytes", async () => {
    for (const size of [0, 1, 3_000_001]) {
      const blob = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) % 251);
      const hash = await one.putBlob(blob);
      expect(hash).toBe(hashOf(blob));
      expect(await fleet.learner.putBlob(blob)).toBe(hash);
      expect(hashOf(await other.getBlob(hash))).toBe(hash);
      await fleet.learner.deleteBlob(hash);
      await expect(other.getBlob(hash)).rejects.toMatchObject({ code: "missing" });
      expect(await one.putBlob(blob)).toBe(hash); // a step that is made again makes the same
      expect(hashOf(await other.getBlob(hash))).toBe(hash);
    }
  });

  test.skipIf(!isThere)("a door that is slammed gives its claim and its signs of life away", async () => {
    const gone: string[] = [];
    const third = await fleet.join();
    await third.set("worker.third", bytes("here"));
    await fleet.learner.watch("worker.third", (key, value) => value === undefined && gone.push(key));
    await fleet.learner.offer("dig", "e.1", bytes("dropped"));
    await third.claim(["dig"], soon());
    await third.close();
    const taken = await one.claim(["dig"], soon());
    expect(taken.unit).toBe("e.1");
    await taken.done();
    await expect.poll(() => gone, { timeout: 30_000 }).toEqual(["worker.third"]);
  });
});
