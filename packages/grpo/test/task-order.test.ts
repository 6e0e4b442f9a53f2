// The order of tasks, and tasks made ahead of their step: the same ones, with what fails told where it belongs.
import { setImmediate } from "node:timers/promises";
import { deriveSeed } from "@iapo/tensor-core";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { TaskOrder } from "../src/run/task-source.ts";

const source = (length: number) => ({ length, task: vi.fn(async (index: number) => index) });
const seed = deriveSeed("task order");

test("what is made ahead is what would have been made, whatever is asked for", async () => {
  const places = fc.record({ place: fc.nat(40), count: fc.integer({ min: 1, max: 9 }) });
  const steps = fc.array(fc.record({ ahead: fc.option(places), wanted: places, right: fc.boolean() }), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 12 }), steps, async (length, all) => {
      const [order, plain] = [new TaskOrder(source(length), seed), new TaskOrder(source(length), seed)];
      for (const { ahead, wanted, right } of all) {
        const prepared = right ? wanted : ahead;
        if (prepared) order.prepare(prepared.place, prepared.count);
        const { place, count } = wanted;
        expect(await order.take(place, count)).toEqual(await plain.take(place, count));
      }
    }),
    { numRuns: 50 },
  );
});

test("tasks are made once, and not before the caller waits", async () => {
  const made = source(4);
  const order = new TaskOrder(made, seed);
  order.prepare(0, 4);
  await Promise.resolve();
  expect(made.task).not.toHaveBeenCalled();
  await setImmediate();
  expect(made.task).toHaveBeenCalledTimes(4);
  expect((await order.take(0, 4)).sort()).toEqual([0, 1, 2, 3]);
  expect(made.task).toHaveBeenCalledTimes(4);
  await order.take(0, 4);
  expect(made.task).toHaveBeenCalledTimes(8);
});

test("a failure belongs to the tasks that it kept from being made, and to nobody where they are not asked for", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const failing = { length: 2, task: vi.fn().mockRejectedValueOnce(new Error("no picture")).mockResolvedValue("made") };
  const order = new TaskOrder(failing, seed);
  order.prepare(2, 2);
  await setImmediate();
  await setImmediate();
  await expect(order.take(2, 2)).rejects.toThrow("no picture");
  expect(await order.take(2, 2)).toEqual(["made", "made"]);
  failing.task.mockRejectedValueOnce(new Error("no picture"));
  order.prepare(4, 2);
  await setImmediate();
  await setImmediate();
  expect(await order.take(6, 2)).toEqual(["made", "made"]);
  expect(unhandled).not.toHaveBeenCalled();
  process.off("unhandledRejection", unhandled);
});
