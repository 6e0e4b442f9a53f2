// Devices: what they report, how they fail, and that flows which interleave do not mix.
import { afterAll, beforeAll, expect, test } from "vitest";
import { globals } from "webgpu";
import { factsOf } from "../src/device/facts.ts";
import {
  adapterNames,
  add,
  type Device,
  multiply,
  openDevice,
  parityProbe,
  planningDevice,
  record,
  scope,
  type Tensor,
  TensorError,
  tanh,
  typicalCard,
  warmUp,
} from "../src/index.ts";
import { defineKernel } from "../src/submit/kernel.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const code = async (run: () => unknown): Promise<string> => {
  try {
    await run();
  } catch (error) {
    if (error instanceof TensorError) return error.code;
    throw error;
  }
  return "no error";
};

test("values survive the trip, in every element type", async () => {
  const cases = [
    [Float32Array.of(1.5, -2, 3e-39), "f32"],
    [Uint16Array.of(0x3f80, 0x7fc0), "bf16"],
    [Int32Array.of(-1, 2 ** 31 - 1), "i32"],
    [Uint32Array.of(0, 2 ** 32 - 1), "u32"],
  ] as const;
  for (const [values, dtype] of cases) {
    using tensor = device.tensor(values, [values.length], dtype);
    expect(await tensor.read()).toEqual(values);
  }
});

test("a bf16 tensor with an odd last dimension is refused", async () => {
  expect(await code(() => device.empty([2, 3], "bf16"))).toBe("shape");
  expect(await code(() => device.empty([0, 3], "bf16"))).toBe("shape");
});

test("matrices past a binding's limit are spread over rows", async () => {
  const values = Float32Array.from({ length: 600 * 8 }, (_, i) => i);
  using matrix = device.emptyMatrix([600, 8], "f32", 8192);
  expect(matrix.shards?.map((s) => s.shape[0])).toEqual([256, 256, 88]);
  for (const { start, tensor } of matrix.parts()) tensor.write(values.subarray(start * 8, start * 8 + tensor.size));
  expect(await matrix.read()).toEqual(values);
  const live = device.memory().liveBytes;
  expect(await code(() => tanh(matrix))).toBe("argument");
  expect(device.memory().liveBytes).toBe(live);
  expect(await code(() => device.empty([device.facts.maxBinding / 4 + 1]))).toBe("limit");
});

test("a budget is kept, and what is idle is given up first", async () => {
  using small = await openDevice({ memoryBudget: 4 << 20 });
  for (let i = 0; i < 8; i++) small.empty([(1 + i) << 15]).dispose();
  using held = small.empty([3 << 18]);
  expect(await code(() => small.empty([1 << 18, 2]))).toBe("out_of_memory");
  expect(small.memory().liveBytes).toBe(held.bytes);
});

test("a command that the GPU refuses names the kernel and its shapes", async () => {
  using broken = await openDevice();
  const kernel = defineKernel(() => ({
    name: "test_broken",
    reads: { x: "f32" },
    writes: { y: "f32" },
    uniforms: {},
    code: "@compute @workgroup_size(1) fn main() { y[0] = undeclared; }",
  }));
  using x = broken.tensor([1], [1]);
  using y = broken.empty([1]);
  broken.dispatch(kernel(), { reads: [x], writes: [y], groups: [1] });
  await expect(y.read()).rejects.toMatchObject({ code: "validation", message: expect.stringContaining("test_broken") });
});

test("kernels of one name are two kernels: each runs its own text, also after a warm-up", async () => {
  using own = await openDevice();
  const addsHundred = defineKernel(() => ({
    name: "multiply/f32/number/flat",
    reads: { x: "f32" },
    writes: { y: "f32" },
    uniforms: {},
    code: "@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) { y[i] = x[i] + 100.0; }",
  }));
  const both = (on: Device) => {
    const x = on.tensor([1, 2, 3, 4], [4]);
    const y = on.empty([4]);
    const ours = multiply(x, 10);
    on.dispatch(addsHundred(), { reads: [x], writes: [y], groups: [1] });
    return [ours, y, multiply(x, 10)] as const;
  };
  const compiled = await warmUp(own, (on) => scope(() => void both(on)));
  expect(compiled.map((entry) => entry.kernel)).toEqual(["multiply/f32/number/flat", "multiply/f32/number/flat"]);
  const results = scope(() => both(own));
  expect(await Promise.all(results.map((t) => t.read()))).toEqual([
    Float32Array.of(10, 20, 30, 40),
    Float32Array.of(101, 102, 103, 104),
    Float32Array.of(10, 20, 30, 40),
  ]);
  for (const t of results) t.dispose();
});

test("a device destroyed in the middle is a typed error, and another opens", async () => {
  const lost = await openDevice();
  using x = lost.tensor([1, 2], [2]);
  const y = tanh(x);
  const reading = y.read();
  lost.gpu!.destroy();
  expect(await code(() => reading)).toMatch(/device_lost|no error/);
  expect(await code(() => lost.idle())).toBe("device_lost");
  expect(await code(() => tanh(x))).toBe("device_lost");
  lost.close();
  using again = await openDevice();
  using z = again.tensor([1], [1]);
  expect(await z.read()).toEqual(Float32Array.of(1));
});

test("a given GPUDevice is used and left open", async () => {
  const given = new (device.constructor as typeof Device)(device.gpu, device.facts, Number.POSITIVE_INFINITY, false);
  using x = given.tensor([1], [1]);
  expect(await x.read()).toEqual(Float32Array.of(1));
  given.close();
  using y = device.tensor([2], [1]);
  expect(await y.read()).toEqual(Float32Array.of(2));
});

test("tensors of two devices don't meet", async () => {
  using other = await openDevice();
  using a = device.tensor([1], [1]);
  using b = other.tensor([1], [1]);
  expect(await code(() => add(a, b))).toBe("cross_device");
});

test("two async flows interleave without leaking or mixing", async () => {
  const before = device.memory().liveBytes;
  const flow = async (start: number) => {
    using x = device.tensor([start], [1]);
    let total = 0;
    for (let i = 0; i < 20; i++) {
      const { value, gradient } = scope(() => {
        const recorded = record([x], () => tanh(add(x, x)));
        return { value: recorded.value, gradient: recorded.backward(recorded.value)[0]! };
      });
      total += (await value.item()) + (await gradient.item());
      value.dispose();
      gradient.dispose();
    }
    return total / 20;
  };
  const expected = (x: number) => Math.tanh(2 * x) + 2 * (1 - Math.tanh(2 * x) ** 2);
  const [a, b] = await Promise.all([flow(0.1), flow(0.7)]);
  expect(a).toBeCloseTo(expected(0.1), 5);
  expect(b).toBeCloseTo(expected(0.7), 5);
  expect(device.memory().liveBytes).toBe(before);
});

test("a planning device counts the same peak and computes nothing", async () => {
  const step = (on: Device) => {
    on.pool.resetPeak();
    const start = on.memory().liveBytes;
    using x = on.tensor(new Float32Array(5000), [5000]);
    scope(() => record([x], () => add(tanh(x), x)).backward([[x, x]], { wrt: [x] }).length);
    return on.memory().peakBytes - start;
  };
  expect(step(planningDevice(device.facts))).toBe(step(device));
});

test("a tensor that is forgotten is warned about and its bytes come back", async () => {
  using own = await openDevice();
  const warnings: string[] = [];
  own.warn = (message) => warnings.push(message);
  (() => own.empty([1 << 16]))();
  const { setFlagsFromString } = await import("node:v8");
  setFlagsFromString("--expose-gc");
  const collect = (await import("node:vm")).runInNewContext("gc") as () => void;
  for (let i = 0; i < 20 && warnings.length === 0; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(warnings[0]).toMatch(/without dispose/);
  expect(own.memory().liveBytes).toBe(0);
});

test("waits one after another poll no more often than one", async () => {
  using x = device.tensor([1, 2, 3, 4], [4]);
  const polls = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "Immediate").length;
  const pollsOfAWait = async (): Promise<number> => {
    const reading = x.read();
    const count = polls();
    await reading;
    return count;
  };
  const before = await pollsOfAWait();
  for (let i = 0; i < 50; i++) await x.read();
  expect(await pollsOfAWait()).toBeLessThanOrEqual(before + 1);
});

test("kernels can be timed", async () => {
  using x = device.tensor(new Float32Array(1 << 16), [1 << 16]);
  const table = await device.profile(() => {
    scope(() => void add(tanh(x), tanh(x)));
  });
  expect(table.map((row) => row.calls).reduce((a, b) => a + b)).toBe(3);
  expect(table.reduce((sum, row) => sum + row.share, 0)).toBeCloseTo(1, 6);
});

test("a warm-up compiles each kernel of a step once, and says how long it took", async () => {
  using fresh = await openDevice();
  const step = (on: Device) => {
    using x = on.tensor([1, 2, 3], [3]);
    scope(() => void add(tanh(x), tanh(x)));
  };
  const first = await warmUp(fresh, step);
  expect(first.map((entry) => entry.kernel).sort()).toEqual(["add/f32/flat", "tanh"]);
  expect(first).toHaveLength(2);
  expect(first.every((entry) => entry.milliseconds > 0 && entry.total === 2)).toBe(true);
  step(fresh);
  expect(fresh.pipelines).toBe(2);
  expect(await warmUp(fresh, step)).toEqual([]);
  expect(fresh.memory().liveBytes).toBe(0);
});

test("the parity probe holds on this adapter, twice alike, and leaves nothing", async () => {
  const live = device.memory().liveBytes;
  const probe = await parityProbe(device);
  expect(probe.checks.map(({ name, different }) => [name, different])).toEqual([
    ["linear f32", 0],
    ["linear bf16", 0],
    ["attention", 0],
    ["log-probs", 0],
  ]);
  expect(probe.holds).toBe(true);
  expect(probe.checks.every(({ compared }) => compared > 0)).toBe(true);
  expect((await parityProbe(device)).checks).toEqual(probe.checks);
  expect(device.memory().liveBytes).toBe(live);
});

test("so it does with the kernels of cards, which decode a layer in fewer of them", async () => {
  using card = await openDevice({ family: "workgroup" });
  const { checks } = await parityProbe(card);
  expect(checks.map(({ name }) => name)).toContain("fused layer");
  expect(checks.filter(({ holds }) => !holds)).toEqual([]);
  expect(card.memory().liveBytes).toBe(0);
}, 600_000);

test("on a card the probe compares the kernels of few rows and large heads with those of the largest tiles", async () => {
  const names = new Set<string>();
  using card = planningDevice(typicalCard);
  card.onPlannedDispatch = ({ name }) => names.add(name);
  const { checks } = await parityProbe(card);
  const fused = (1 + 2 + 4 + 8 + 16) * (512 + 1024);
  expect(checks.map(({ compared }) => compared)).toEqual([95 * 1024, 95 * 1024, fused, 4 * (32 + 128), 1]);
  for (const what of ["norm/lowRank/gate", "lowRank"])
    for (const rows of [1, 2, 4, 8]) expect(names).toContain(`matmul_few_rows/${rows}/bf16/16x8/${what}`);
  for (const type of ["", "/bf16"]) {
    const kernels = [1, 2, 4, 8].map((rows) => `matmul_few_rows/${rows}${type}/16x8`);
    for (const name of [...kernels, `matmul_panels/nt${type}/128x64`]) expect(names).toContain(name);
  }
  for (const rows of [16, 32]) expect(names).toContain(`attention_forward/workgroup/rows${rows}/columns2`);
});

/** Raises what Dawn raises when the driver refuses memory, which lavapipe never does. */
function refuseMemory(on: Device): void {
  const error = Reflect.construct(Reflect.get(globals, "GPUOutOfMemoryError"), ["no memory"]);
  on.gpu?.dispatchEvent(Object.assign(new Event("uncapturederror", { cancelable: true }), { error }));
}

test("memory that the driver refuses is out_of_memory, and from then on the budget is below what was reserved", async () => {
  using own = await openDevice({ memoryBudget: Number.POSITIVE_INFINITY });
  using held = own.empty([2 ** 18]);
  own.empty([2 ** 20]).dispose();
  const { reservedBytes } = own.memory();
  refuseMemory(own);
  await expect(own.idle()).rejects.toMatchObject({
    code: "out_of_memory",
    message: expect.stringMatching(/0\.0 GiB reserved: no memory\. Use a smaller batch/),
  });
  expect(own.pool.budget).toBe(0.95 * reservedBytes);
  expect(await code(() => own.idle())).toBe("no error");
  expect(await code(() => own.empty([2 ** 21]))).toBe("out_of_memory");
  expect(own.memory()).toMatchObject({ liveBytes: held.bytes, idleBytes: 0 });
});

test("work that runs out of memory is done once more with what was idle freed, and what it left is discarded", async () => {
  const own = await openDevice();
  using card = new (own.constructor as typeof Device)(
    own.gpu,
    { ...own.facts, software: false },
    Number.POSITIVE_INFINITY,
  );
  card.empty([2 ** 22]).dispose();
  const work = (refusals: number) => {
    let tries = 0;
    return () => {
      card.empty([2 ** 20]).dispose();
      if (tries++ < refusals) refuseMemory(card);
      return card.tensor([tries], [1]);
    };
  };
  const discard = (tensor: Tensor) => tensor.dispose();
  using made = await card.retryOutOfMemory(work(1), discard);
  expect(await made.read()).toEqual(Float32Array.of(2));
  expect(card.memory().liveBytes).toBe(made.storage.buffer.bytes);
  expect(await code(() => card.retryOutOfMemory(work(2), discard))).toBe("out_of_memory");
  expect(card.memory().liveBytes).toBe(made.storage.buffer.bytes);
});

test("long work gives idle buffers back once more than 70 % of the budget is reserved", async () => {
  using own = await openDevice({ memoryBudget: 10 * 2 ** 20 });
  own.empty([2 ** 20]).dispose();
  await own.relieve();
  expect(own.memory().idleBytes).toBe(4 * 2 ** 20);
  using _ = own.empty([2 ** 20 + 2 ** 18]);
  await own.relieve();
  expect(own.memory()).toMatchObject({ idleBytes: 0 });
});

test("an adapter is chosen by a part of its name, once for a process", async () => {
  const names = await adapterNames();
  expect(names.length).toBeGreaterThan(0);
  await expect(openDevice({ adapter: "another" })).rejects.toMatchObject({
    code: "argument",
    message: expect.stringContaining("it is the default one by now"),
  });
});

test("facts name the card, and no binding passes 2 GiB or ends off a multiple of 256", () => {
  const { facts } = device;
  expect(facts.device).not.toBe("");
  expect(facts.maxBinding % 256).toBe(0);
  expect(facts.maxBinding).toBeLessThanOrEqual(2 ** 31 - 256);
  expect(facts.subgroupMaxSize).toBeGreaterThanOrEqual(facts.subgroupMinSize);
  const limits = {
    ...{ maxStorageBufferBindingSize: 2 ** 32 - 4, maxBufferSize: 2 ** 32 - 4, maxComputeWorkgroupStorageSize: 16384 },
    ...{ minStorageBufferOffsetAlignment: 256, maxComputeWorkgroupsPerDimension: 65535 },
  };
  const large = factsOf({ limits, features: new Set() }, device.gpu!.adapterInfo);
  expect(large).toMatchObject({ maxBinding: 2 ** 31 - 256, maxBuffer: 2 ** 32 - 4 });
});
