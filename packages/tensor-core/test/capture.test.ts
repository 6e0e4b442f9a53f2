// Commands that are appended again: they do what they did, with what then lies in their buffers, or say that they cannot.
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  add,
  type Captured,
  copyBlock,
  type Device,
  fill,
  multiply,
  openDevice,
  planningDevice,
  scope,
  type Tensor,
  typicalCard,
  uploadBlock,
} from "../src/index.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => {
  expect(device.memory().liveBytes).toBe(0);
  device.close();
});

const recordedOnly = { replay: undefined, release: () => {} };

/** `x` becomes `2 x + step`, many times over, so that commands fill more than one submission. */
async function trajectory(replays: boolean): Promise<number[]> {
  const steps = [3, 5, 7, 11, 13].map((value) => uploadBlock(device, [{ values: Float32Array.of(value), shape: [1] }]));
  const atHand = uploadBlock(device, [{ values: Float32Array.of(0), shape: [1] }]);
  using x = device.tensor([1], [1]);
  const values: number[] = [];
  const compute = (): Tensor =>
    scope(() => {
      let next = add(multiply(x, 2), atHand.tensors[0]!);
      for (let i = 0; i < 300; i++) next = add(next, i % 2 === 0 ? 1 : -1);
      return next;
    });
  let next: Tensor | undefined;
  let { replay, release }: Omit<Captured<Tensor>, "value"> = recordedOnly;
  for (const step of steps) {
    copyBlock(step, atHand);
    if (replay) replay();
    else {
      next?.dispose();
      ({ value: next, replay, release } = replays ? device.capture(compute) : { ...recordedOnly, value: compute() });
    }
    device.copyBytes(next!, 0, x, 0, 4);
    values.push(await x.item());
  }
  release();
  next?.dispose();
  for (const { words, tensors } of [...steps, atHand]) for (const tensor of [words, ...tensors]) tensor.dispose();
  return values;
}

test("a trajectory of replayed steps is that of recorded ones", async () => {
  const before = device.dispatches;
  const recorded = await trajectory(false);
  const count = device.dispatches - before;
  expect(recorded).toEqual([5, 15, 37, 85, 183]);
  expect(await trajectory(true)).toEqual(recorded);
  expect(device.dispatches - before).toBe(2 * count);
});

test("no commands are appended again that would find something else than at first", async () => {
  using x = device.tensor([1], [1]);
  using other = device.tensor([4], [1]);
  const read = device.capture(() => scope(() => add(x, 1)));
  expect(read.replay).toBeDefined();
  expect(device.capture(() => device.copyBytes(other, 0, x, 0, 4)).replay).toBeDefined();
  const carried = device.capture(() => {
    scope(() => add(x, 1)).dispose();
    device.copyBytes(other, 0, x, 0, 4);
  });
  expect(carried.replay, "reads x, then overwrites it").toBeUndefined();
  const upload = device.capture(() => other.write(Float32Array.of(5)));
  expect(upload.replay).toBeUndefined();
  const reading = device.capture(() => void other.values());
  expect(reading.replay).toBeUndefined();
  expect(() => device.capture(() => device.capture(() => {}))).toThrow("being captured already");
  expect(() => device.capture(async () => {})).toThrow("synchronous");
  read.release();
  expect(() => read.replay?.()).toThrow("these commands were released, or a tensor that they take was disposed");
  read.value.dispose();
});

test("what commands work in is nobody else's until they are released; what they take has to stay", async () => {
  using x = device.tensor([1, 2], [2]);
  const before = device.memory();
  const { value, replay, release } = device.capture(() => scope(() => add(multiply(x, 2), 1)));
  expect(device.memory().byTag).toMatchObject({ captured: 256 });
  const others = [7, 8, 9].map((number) => fill(device, [2], number));
  x.write(Float32Array.of(3, 4));
  replay?.();
  expect(await value.values()).toEqual(Float32Array.of(7, 9));
  for (const [i, other] of others.entries()) {
    expect(await other.values()).toEqual(new Float32Array(2).fill(7 + i));
    other.dispose();
  }
  value.dispose();
  expect(replay).toThrow("a tensor that they take was disposed");
  for (let twice = 0; twice < 2; twice++) release();
  expect(device.memory()).toMatchObject({ liveBytes: before.liveBytes, liveBuffers: before.liveBuffers });
});

test("a planning device counts what is appended again", () => {
  using planning = planningDevice(typicalCard);
  const names: string[] = [];
  planning.onPlannedDispatch = ({ name }) => names.push(name);
  const x = planning.empty([4]);
  const { value, replay, release } = planning.capture(() => {
    planning.flops += 7;
    return scope(() => add(x, 1));
  });
  replay?.();
  expect(planning.flops).toBe(14);
  expect(names).toHaveLength(2);
  expect(names[1]).toBe(names[0]);
  release();
  for (const tensor of [x, value]) tensor.dispose();
});
