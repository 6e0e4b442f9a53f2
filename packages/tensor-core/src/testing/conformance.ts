// The conformance suite's one check: an op's case against its f64 reference, its vjp against central differences, twice for equal bits.

import { record } from "../autograd/tape.ts";
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { type DType, fromBf16, sizeOf, toBf16 } from "../dtype.ts";
import { scope } from "../memory/scope.ts";
import type { CaseInput, Op, OpCase, ReferenceArray } from "../ops/define.ts";
import type { Tensor } from "../tensor.ts";
import { normal, seededRandom } from "./random.ts";

const FORWARD_TOLERANCE = 2e-6;
const BACKWARD_TOLERANCE = 2e-5;
const DIFFERENCE_STEP = 1e-5;
const DIRECTIONS = 3;
const ELEMENTWISE_BELOW = 24;

/** What a case measured: largest differences, relative to the largest reference value. */
export interface ConformanceReport {
  readonly forward: number;
  readonly backward: number | undefined;
}

/** Runs one case. Throws an Error that names op, case and first difference; also when bytes leak or two runs differ. */
export async function checkCase(device: Device, op: Op, testCase: OpCase<unknown>): Promise<ConformanceReport> {
  const where = `${op.opName} / ${testCase.name}`;
  const reference = referenceOf(op, testCase);
  const before = device.memory().liveBytes;
  const tensors = testCase.inputs.map((input, i) => upload(device, at(reference.arrays, i), input));
  try {
    const first = await outputsOf(op, tensors, testCase);
    const second = await outputsOf(op, tensors, testCase);
    let forward = 0;
    for (const [k, array] of reference.expected.entries()) {
      const got = at(first, k);
      if (String(got.shape) !== String(array.shape))
        throw new Error(`${where}: output ${k} is [${got.shape}], expected [${array.shape}]`);
      const bits = (a: Values) => new Uint8Array(a.data.buffer);
      const firstBits = bits(got);
      if (bits(at(second, k)).some((byte, i) => byte !== firstBits[i]))
        throw new Error(`${where}: two runs give different bits`);
      forward = Math.max(forward, relativeDifference(got.data, array.data));
    }
    const tolerance = testCase.tolerance ?? FORWARD_TOLERANCE;
    if (!(forward <= tolerance)) throw new Error(`${where}: forward differs by ${forward} (allowed ${tolerance})`);
    const backward = op.differentiable ? await checkVjp(device, op, testCase, tensors, reference) : undefined;
    const backwardTolerance = Math.max(BACKWARD_TOLERANCE, tolerance * 10);
    if (backward !== undefined && !(backward <= backwardTolerance)) {
      throw new Error(`${where}: vjp differs by ${backward} (allowed ${backwardTolerance})`);
    }
    for (const tensor of tensors) tensor.dispose();
    const leaked = device.memory().liveBytes - before;
    if (leaked !== 0) throw new Error(`${where}: ${leaked} bytes leaked`);
    return { forward, backward };
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

/** What a case's values are, whatever device is asked for them. */
interface Reference {
  readonly op: Op;
  readonly testCase: OpCase<unknown>;
  readonly arrays: readonly ReferenceArray[];
  readonly expected: readonly ReferenceArray[];
  readonly cotangents: readonly ReferenceArray[];
  /** Of `<u, reference>` along some directions, by input; none where the input is constant or not of floats. */
  readonly slopes: readonly (readonly Slope[])[];
}

interface Slope {
  readonly direction: Float64Array;
  readonly slope: number;
}

let latest: Reference | undefined;

/** Of the latest case it is kept: where several devices are asked in turn, the f64 sums, which are most of the work, are formed once. */
function referenceOf(op: Op, testCase: OpCase<unknown>): Reference {
  if (latest?.op === op && latest.testCase === testCase) return latest;
  const random = seededRandom(`${op.opName} / ${testCase.name}`);
  const arrays = testCase.inputs.map((input) => makeInput(input, random));
  const expected = op.reference(arrays, testCase.params);
  const cotangents = expected.map(({ shape, data }) => ({
    shape,
    data: Float64Array.from(data, () => Math.fround(normal(random))),
  }));
  const slopes = testCase.inputs.map((input, i) =>
    op.differentiable && isDifferentiable(input) ? slopesOf(op, testCase, arrays, i, cotangents, random) : [],
  );
  latest = { op, testCase, arrays, expected, cotangents, slopes };
  return latest;
}

function isDifferentiable({ dtype = "f32", constant }: CaseInput): boolean {
  return (dtype === "f32" || dtype === "bf16") && !constant;
}

/** Central differences along random directions; along each element where the input is small. */
function slopesOf(
  op: Op,
  testCase: OpCase<unknown>,
  arrays: readonly ReferenceArray[],
  input: number,
  cotangents: readonly ReferenceArray[],
  random: () => number,
): Slope[] {
  const { shape, data } = at(arrays, input);
  const along = (direction: Float64Array, h: number): number => {
    const moved = { shape, data: data.map((x, i) => x + h * at(direction, i)) };
    const outputs = op.reference(arrays.with(input, moved), testCase.params);
    return outputs.reduce((sum, output, o) => sum + dot(output.data, at(cotangents, o).data), 0);
  };
  return directions(data.length, random).map((direction) => ({
    direction,
    slope: (along(direction, DIFFERENCE_STEP) - along(direction, -DIFFERENCE_STEP)) / (2 * DIFFERENCE_STEP),
  }));
}

interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint32Array;
}

export async function outputsOf(op: Op, tensors: readonly Tensor[], testCase: OpCase<unknown>): Promise<Values[]> {
  const outputs = scope(() => op.apply(tensors, testCase.params));
  const values: Values[] = [];
  for (const tensor of outputs) {
    values.push({ shape: tensor.shape, data: await tensor.values() });
    tensor.dispose();
  }
  return values;
}

/** `<vjp(u), v>` against the slope of `<u, reference>` along v: the largest relative difference. */
async function checkVjp(
  device: Device,
  op: Op,
  testCase: OpCase<unknown>,
  tensors: readonly Tensor[],
  { cotangents, slopes }: Reference,
): Promise<number> {
  const wrt = [...tensors.keys()].filter((i) => isDifferentiable(at(testCase.inputs, i)));
  if (wrt.length === 0) return 0;
  const gradients = scope(() => {
    const recorded = record(
      wrt.map((i) => at(tensors, i)),
      () => op.apply(tensors, testCase.params),
    );
    const seeds = recorded.value
      .map((output, k) => [output, device.tensor([...at(cotangents, k).data], output.shape)] as const)
      .filter(([output]) => output.dtype === "f32");
    return recorded.backward(seeds);
  });
  let worst = 0;
  for (const [k, input] of wrt.entries()) {
    const tensor = at(gradients, k);
    const gradient = await tensor.values();
    tensor.dispose();
    for (const { direction, slope } of at(slopes, input)) {
      const scale = Math.max(norm(gradient) * norm(direction), Math.abs(slope), 1e-3);
      worst = Math.max(worst, Math.abs(dot(gradient, direction) - slope) / scale);
    }
  }
  return worst;
}

function directions(size: number, random: () => number): Float64Array[] {
  if (size === 0) return [];
  if (size <= ELEMENTWISE_BELOW)
    return Array.from({ length: size }, (_, i) => Float64Array.from({ length: size }, (_v, j) => (i === j ? 1 : 0)));
  return Array.from({ length: DIRECTIONS }, () => Float64Array.from({ length: size }, () => normal(random)));
}

export function makeInput(input: CaseInput, random: () => number): ReferenceArray {
  const size = sizeOf(input.shape);
  const { values = "normal", dtype = "f32" } = input;
  let data: Float64Array;
  if (Array.isArray(values)) data = Float64Array.from(values as readonly number[]);
  else if (dtype === "i32" || dtype === "u32")
    data = Float64Array.from({ length: size }, () => Math.floor(random() * (input.below ?? 10)));
  else
    data = Float64Array.from({ length: size }, () =>
      Math.fround(values === "positive" ? 0.1 + random() * 2 : normal(random)),
    );
  if (dtype === "bf16") data = Float64Array.from(fromBf16(toBf16(data)));
  return { shape: input.shape, data };
}

export function upload(device: Device, array: ReferenceArray, input: CaseInput): Tensor {
  const dtype: DType = input.dtype ?? "f32";
  return device.tensor([...array.data], array.shape, dtype);
}

/** Largest difference over the largest reference value (at least 1e-3). Non-finite values must agree exactly. */
export function relativeDifference(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length) return Number.POSITIVE_INFINITY;
  let scale = 1e-3;
  for (const value of Array.from(expected)) if (Number.isFinite(value)) scale = Math.max(scale, Math.abs(value));
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    if (Object.is(at(got, i), at(expected, i))) continue;
    const difference = Math.abs(at(got, i) - at(expected, i));
    worst = Math.max(worst, Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference);
  }
  return worst / scale;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, i);
  return sum;
}

function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a));
}
