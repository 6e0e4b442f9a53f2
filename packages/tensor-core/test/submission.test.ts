// When recorded work is handed to the GPU: early after a wait, in larger parts while the GPU has work.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { add, type Device, matmul, openDevice, scope, type Tensor, tanh } from "../src/index.ts";

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

test("much work is handed over at once, however few dispatches it is", async () => {
  await device.idle();
  const { queue } = device.gpu!;
  const spy = vi.spyOn(queue, "submit");
  using x = device.tensor([1], [1]);
  add(x, 1).dispose();
  expect(spy).not.toHaveBeenCalled();
  device.flops += 1e11; // what a product of 13,700 rows by a 3B model's widest weight takes in part
  add(x, 1).dispose();
  expect(spy).toHaveBeenCalledTimes(1);
  add(x, 1).dispose();
  expect(spy).toHaveBeenCalledTimes(1);
  spy.mockRestore();
  await device.idle();
});

test("what is recorded whole is submitted behind it, writes in their places; readings and trims within see what came before", async () => {
  const events: string[] = [];
  const { queue } = device.gpu!;
  const submit = queue.submit.bind(queue);
  const spy = vi.spyOn(queue, "submit").mockImplementation((buffers) => {
    events.push("submit");
    return submit(buffers);
  });
  using target = device.tensor([1, 2], [2]);
  const record = (): readonly [Tensor, Promise<ArrayLike<number>>] => {
    let sum = add(target, 0);
    for (let i = 0; i < 300; i++) sum = add(sum, 1);
    target.write(Float32Array.of(10, 20));
    const values = scope(() => add(sum, target)).values();
    device.trim();
    for (let i = 0; i < 300; i++) sum = add(sum, target);
    target.write(Float32Array.of(0, 0));
    events.push("recorded");
    return [sum, values];
  };
  const [held, read] = scope(() => device.recordWhole(record));
  using sum = held;
  expect(Array.from(await read)).toEqual([311, 322]);
  expect([...(await sum.values())]).toEqual([301 + 3000, 302 + 6000]);
  expect([...(await target.values())]).toEqual([0, 0]);
  spy.mockRestore();
});

test("a device that is closed while it works does not hold up the thread", async () => {
  const own = await openDevice();
  const a = own.empty([512, 512]);
  for (let i = 0; i < 200; i++) matmul(a, a).dispose();
  own.flush();
  const begun = process.cpuUsage();
  const start = performance.now();
  own.close();
  expect(performance.now() - start, JSON.stringify(process.cpuUsage(begun))).toBeLessThan(500);
  expect(own.closed).toBe(true);
});

test("once no kernel is new any more, the GPU begins while the rest is recorded", async () => {
  using own = await openDevice();
  const { queue } = own.gpu!;
  const events: string[] = [];
  const submit = queue.submit.bind(queue);
  vi.spyOn(queue, "submit").mockImplementation((buffers) => {
    events.push("submit");
    return submit(buffers);
  });
  using zero = own.tensor([0, 0], [2]);
  const first = async (op: (x: Tensor) => Tensor): Promise<string | undefined> => {
    events.length = 0;
    using sum = scope(() =>
      own.recordWhole(() => {
        let x = op(zero);
        for (let i = 1; i < 600; i++) x = op(x);
        events.push("recorded");
        return x;
      }),
    );
    await sum.values();
    return events[0];
  };
  const plusOne = (x: Tensor): Tensor => add(x, 1);
  expect([await first(plusOne), await first(plusOne), await first(plusOne)]).toEqual([
    "recorded",
    "recorded",
    "submit",
  ]);
  expect([await first(tanh), await first(tanh), await first(tanh)]).toEqual(["submit", "recorded", "submit"]);
});

test("with known kernels too, only some work is under way before all is recorded: a kernel that turns up does not wait for the rest", async () => {
  using own = await openDevice();
  using a = own.empty([512, 512]);
  const { queue } = own.gpu!;
  const submit = queue.submit.bind(queue);
  const record = async (products: number): Promise<{ flops: number; early: number }> => {
    const before = own.flops;
    let [early, isRecorded] = [0, false];
    const spy = vi.spyOn(queue, "submit").mockImplementation((buffers) => {
      if (!isRecorded) early = own.flops - before;
      return submit(buffers);
    });
    using sum = scope(() =>
      own.recordWhole(() => {
        let product = matmul(a, a);
        for (let i = 1; i < products; i++) product = matmul(product, a);
        isRecorded = true;
        return product;
      }),
    );
    const flops = own.flops - before;
    await sum.values();
    spy.mockRestore();
    return { flops, early };
  };
  await record(1);
  await record(1); // from here on no kernel is new
  const { flops, early } = await record(80);
  expect(flops).toBeGreaterThan(2 ** 34);
  expect(early).toBeGreaterThan(0);
  expect(early).toBeLessThan(2 ** 33 + 2 ** 29);
});

test("kernels are timed exactly, not in the steps of 65,536 ns that browsers show", async () => {
  if (!device.gpu?.features.has("timestamp-query")) return;
  using zero = device.tensor([0], [1]);
  const times = await device.profile(() => {
    for (let i = 0; i < 20; i++) add(zero, 1).dispose();
  });
  const nanoseconds = times.reduce((sum, { milliseconds }) => sum + Math.round(milliseconds * 1e6), 0);
  expect(nanoseconds).toBeGreaterThan(0);
  expect(nanoseconds % 65_536).not.toBe(0);
});
