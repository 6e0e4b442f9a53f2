// Commands that are appended again: they do what they did, with what then lies in their buffers, or say that they cannot.
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  add,
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
  let replay: (() => void) | undefined;
  for (const step of steps) {
    copyBlock(step, atHand);
    if (replay) replay();
    else {
      next?.dispose();
      ({ value: next, replay } = replays ? device.capture(compute) : { value: compute(), replay: undefined });
    }
    device.copyBytes(next!, 0, x, 0, 4);
    values.push(await x.item());
  }
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
  using taken = fill(device, [1], 0);
  expect(() => read.replay?.()).toThrow("memory was taken since these commands were captured");
  expect(() => device.capture(() => device.capture(() => {}))).toThrow("being captured already");
  expect(() => device.capture(async () => {})).toThrow("synchronous");
  expect(await taken.item()).toBe(0);
  read.value.dispose();
});

test("a planning device counts what is appended again", () => {
  using planning = planningDevice(typicalCard);
  const names: string[] = [];
  planning.onPlannedDispatch = ({ name }) => names.push(name);
  const x = planning.empty([4]);
  const { value, replay } = planning.capture(() => {
    planning.flops += 7;
    return scope(() => add(x, 1));
  });
  replay?.();
  expect(planning.flops).toBe(14);
  expect(names).toHaveLength(2);
  expect(names[1]).toBe(names[0]);
  for (const tensor of [x, value]) tensor.dispose();
});
