// What a checkpoint's files decide is bounded in time; a machine that stood still meanwhile is no endless loop.
import { expect, test } from "vitest";
import { withDeadline } from "../../src/processor/deadline.ts";

const still = new Int32Array(new SharedArrayBuffer(4));

test.runIf("threadCpuUsage" in process)("work that was late without having run is begun anew, twice", () => {
  let begun = 0;
  const standsStill = (times: number) => () => {
    begun++;
    if (begun <= times) Atomics.wait(still, 0, 0, 300);
    return begun;
  };
  expect(withDeadline(200, "template", "it", standsStill(2))).toBe(3);
  begun = 0;
  expect(() => withDeadline(200, "template", "it", standsStill(9))).toThrow("it takes longer than 0.2 s");
  expect(begun).toBe(3);
});

test("a loop without end is refused, and what the work throws comes through", () => {
  const endless = (): void => {
    for (;;);
  };
  expect(() => withDeadline(400, "template", "it", endless)).toThrow("it takes longer than 0.4 s");
  const fails = (): never => {
    throw new RangeError("own");
  };
  expect(() => withDeadline(400, "template", "it", fails)).toThrow(RangeError);
});
