// When recorded work is handed to the GPU: early after a wait, in larger parts while the GPU has work.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { add, type Device, openDevice, scope } from "../src/index.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

/** Adds 1 to a zero `count` times, and tells after how many dispatches something was submitted. */
async function count(count: number): Promise<{ value: number; submittedAt: number[] }> {
  using zero = device.tensor([0], [1]);
  await device.idle();
  const before = device.dispatches;
  const submittedAt: number[] = [];
  const { queue } = device.gpu!;
  const submit = queue.submit.bind(queue);
  const spy = vi.spyOn(queue, "submit").mockImplementation((buffers) => {
    submittedAt.push(device.dispatches - before);
    return submit(buffers);
  });
  using sum = scope(() => {
    let x = add(zero, 1);
    for (let i = 1; i < count; i++) x = add(x, 1);
    return x;
  });
  const value = await sum.item();
  spy.mockRestore();
  return { value, submittedAt };
}

test("the first submission after a wait is small, each next one twice as large up to what uniforms have room for", async () => {
  expect(await count(1000)).toEqual({ value: 1000, submittedAt: [32, 96, 224, 480, 736, 992, 1000] });
  expect((await count(40)).submittedAt, "the wait was a reading").toEqual([32, 40]);
});
