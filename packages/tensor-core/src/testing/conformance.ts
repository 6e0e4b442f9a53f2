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
  const random = seededRandom(where);
  const before = device.memory().liveBytes;
  const given = testCase.inputs.map((input): CaseValue => {
    const array = makeInput(input, random);
    return { input, array, tensor: upload(device, array, input) };
  });
  const tensors = given.map(({ tensor }) => tensor);
  try {
    const expected = op.reference(
      given.map(({ array }) => array),
      testCase.params,
    );
    const first = await outputsOf(op, tensors, testCase);
    const second = await outputsOf(op, tensors, testCase);
    let forward = 0;
    for (const [k, array] of expected.entries()) {
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
    const backward = op.differentiable ? await checkVjp(device, op, testCase, given, expected, random) : undefined;
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

/** A case's input as it is made, for the reference and for the op. */
interface CaseValue {
  readonly input: CaseInput;
  readonly array: ReferenceArray;
  readonly tensor: Tensor;
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

/** `<vjp(u), v>` against the central difference of `<u, reference>` along v; per element where the input is small. */
async function checkVjp(
  device: Device,
  op: Op,
  testCase: OpCase<unknown>,
  given: readonly CaseValue[],
  expected: readonly ReferenceArray[],
  random: () => number,
): Promise<number> {
  const wrt = given.filter(({ input, tensor }) => /^(f32|bf16)$/.test(tensor.dtype) && !input.constant);
  const cotangents = expected.map(({ shape, data }) => ({
    shape,
    data: Float64Array.from(data, () => Math.fround(normal(random))),
  }));
  if (wrt.length === 0) return 0;
  const gradients = scope(() => {
    const recorded = record(
      wrt.map(({ tensor }) => tensor),
      () =>
        op.apply(
          given.map(({ tensor }) => tensor),
          testCase.params,
        ),
    );
    const seeds = recorded.value
      .map((output, k) => [output, device.tensor([...at(cotangents, k).data], output.shape)] as const)
      .filter(([output]) => output.dtype === "f32");
    return recorded.backward(seeds);
  });
  let worst = 0;
  for (const [k, { array }] of wrt.entries()) {
    const tensor = at(gradients, k);
    const gradient = await tensor.values();
    tensor.dispose();
    const loss = (data: Float64Array): number => {
      const moved = given.map((other) => (other.array === array ? { shape: array.shape, data } : other.array));
      const outputs = op.reference(moved, testCase.params);
      return outputs.reduce((sum, output, o) => sum + dot(output.data, at(cotangents, o).data), 0);
    };
    for (const direction of directions(gradient.length, random)) {
      const along = (h: number) => loss(array.data.map((x, i) => x + h * at(direction, i)));
      const slope = (along(DIFFERENCE_STEP) - along(-DIFFERENCE_STEP)) / (2 * DIFFERENCE_STEP);
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
