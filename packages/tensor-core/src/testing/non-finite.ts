// What ops do with NaN and infinity: each value in each input against the f64 reference, and cotangents of NaN.
import { record } from "../autograd/tape.ts";
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { scope } from "../memory/scope.ts";
import type { Op, OpCase, ReferenceArray } from "../ops/define.ts";
import type { Tensor } from "../tensor.ts";
import { makeInput, outputsOf, upload } from "./conformance.ts";
import { seededRandom } from "./random.ts";

const VALUES = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/**
 * Puts NaN, infinity and -infinity in turn at one place of each input of a case, and holds every element of the outputs to the class of the
 * reference's: NaN, infinity of a sign, or finite; integers to its value. Then runs the vjp with cotangents of NaN, which must reach every
 * element that the cotangent 1 reaches. Throws an Error that names op, case, input and value.
 */
export async function checkNonFinite(device: Device, op: Op, testCase: OpCase<unknown>): Promise<void> {
  const where = `${op.opName} / ${testCase.name}`;
  const random = seededRandom(`${where} / not finite`);
  const arrays = testCase.inputs.map((input) => makeInput(input, random));
  for (const [k, input] of testCase.inputs.entries()) {
    const { shape, data } = at(arrays, k);
    if ((input.dtype !== undefined && input.dtype !== "f32" && input.dtype !== "bf16") || data.length === 0) continue;
    for (const value of VALUES) {
      const place = Math.floor(random() * data.length);
      const changed = arrays.map((array, j) => (j === k ? { shape, data: data.with(place, value) } : array));
      const found = await outputsWith(device, op, testCase, changed);
      const difference = firstDifference(found, op.reference(changed, testCase.params), op.spreadsNonFinite);
      if (difference) throw new Error(`${where}: ${value} at element ${place} of input ${k}: ${difference}`);
    }
  }
  if (op.differentiable) await checkCotangents(device, op, testCase, arrays);
}

async function outputsWith(device: Device, op: Op, testCase: OpCase<unknown>, arrays: readonly ReferenceArray[]) {
  const tensors = arrays.map((array, k) => upload(device, array, at(testCase.inputs, k)));
  try {
    return await outputsOf(op, tensors, testCase);
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

type Found = Awaited<ReturnType<typeof outputsOf>>;

function firstDifference(found: Found, expected: readonly ReferenceArray[], mayBeNaN: boolean): string | undefined {
  for (const [o, array] of expected.entries()) {
    const { data } = at(found, o);
    const difference = data.findIndex((value, i) => {
      const wanted = at(array.data, i);
      if (mayBeNaN && Number.isNaN(value)) return false;
      return data instanceof Float32Array ? classOf(value) !== classOf(wanted) : value !== wanted;
    });
    if (difference >= 0)
      return `element ${difference} of output ${o} is ${data[difference]}, the reference has ${array.data[difference]}`;
  }
  return undefined;
}

const classOf = (value: number): string => (Number.isFinite(value) ? "finite" : String(value));

async function checkCotangents(
  device: Device,
  op: Op,
  testCase: OpCase<unknown>,
  arrays: readonly ReferenceArray[],
): Promise<void> {
  const tensors = arrays.map((array, k) => upload(device, array, at(testCase.inputs, k)));
  const wrt = tensors.filter((t, k) => /^(f32|bf16)$/.test(t.dtype) && !at(testCase.inputs, k).constant);
  const gradientsOf = async (cotangent: number): Promise<Float64Array[]> => {
    const gradients: Tensor[] = scope(() => {
      const recorded = record(wrt, () => op.apply(tensors, testCase.params));
      const seeds = recorded.value
        .filter((output) => output.dtype === "f32")
        .map((output) => [output, device.tensor(new Float32Array(output.size).fill(cotangent), output.shape)] as const);
      return recorded.backward(seeds);
    });
    const values = await Promise.all(gradients.map(async (g) => Float64Array.from(await g.values())));
    for (const gradient of gradients) gradient.dispose();
    return values;
  };
  try {
    if (wrt.length === 0) return;
    const [ones, nans] = [await gradientsOf(1), await gradientsOf(Number.NaN)];
    for (const [k, gradient] of ones.entries()) {
      const lost = gradient.findIndex((value, i) => value !== 0 && !Number.isNaN(at(at(nans, k), i)));
      if (lost >= 0)
        throw new Error(
          `${op.opName} / ${testCase.name}: a cotangent of NaN does not reach element ${lost} of gradient ${k}`,
        );
    }
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}
