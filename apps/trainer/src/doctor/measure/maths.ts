// How the adapter's compiler and arithmetic differ from what results rest on: single rounding, errors of functions, denormals, order of lanes.
import { type Device, defineKernel, exp, log, rsqrt, sigmoid, sqrt, type Tensor, tanh } from "@iapo/tensor-core";
import type { PartContext } from "./context.ts";
import type { Found } from "./report.ts";

/** Residues of products: `a * b - round(a * b)` is an f32, which only an arithmetic without a rounding in between gives. */
const multiplyAdd = defineKernel((explicit: boolean) => ({
  name: `doctor_multiply_add/${explicit ? "fma" : "plain"}`,
  reads: { a: "f32", b: "f32", c: "f32" },
  writes: { out: "f32" },
  uniforms: { items: "u32" },
  code: `@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i < P.items) { out[i] = ${explicit ? "fma(a[i], b[i], c[i])" : "a[i] * b[i] + c[i]"}; }
}`,
}));

const lanes = defineKernel(() => ({
  name: "doctor_lanes",
  reads: {},
  writes: { out: "u32" },
  uniforms: {},
  subgroups: true,
  code: `@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) size: u32) {
  out[local] = select(0u, 1u, lane == local % size);
}`,
}));

interface Function {
  readonly op: (x: Tensor) => Tensor;
  readonly value: (x: number) => number;
  /** Of the arguments. */
  readonly from: number;
  readonly to: number;
}

const functions: Readonly<Record<string, Function>> = {
  exp: { op: (x) => exp(x), value: Math.exp, from: -80, to: 80 },
  log: { op: (x) => log(x), value: Math.log, from: 1e-3, to: 1e3 },
  tanh: { op: (x) => tanh(x), value: Math.tanh, from: -10, to: 10 },
  sigmoid: { op: (x) => sigmoid(x), value: (x) => 1 / (1 + Math.exp(-x)), from: -20, to: 20 },
  sqrt: { op: (x) => sqrt(x), value: Math.sqrt, from: 0, to: 1e4 },
  rsqrt: { op: (x) => rsqrt(x), value: (x) => 1 / Math.sqrt(x), from: 1e-4, to: 1e4 },
};

export async function measureMaths({ device, isSmall }: PartContext): Promise<Found<"maths">> {
  const count = isSmall ? 2 ** 14 : 2 ** 20;
  const a = Float32Array.from({ length: count }, (_, i) => 1 + ((i % 4093) + 1) * 2 ** -12);
  const b = Float32Array.from({ length: count }, (_, i) => 1 + ((i % 3989) + 1) * 2 ** -13);
  const c = Float32Array.from(a, (x, i) => -Math.fround(x * (b[i] ?? 0)));
  const residue = (i: number): number => (a[i] ?? 0) * (b[i] ?? 0) + (c[i] ?? 0);
  const [fused, plain] = [await residues(device, true, a, b, c), await residues(device, false, a, b, c)];
  const inexact = Array.from(a.keys()).filter((i) => residue(i) !== 0);
  const contracted = inexact.filter((i) => plain[i] !== 0).length;
  const ulps: Record<string, number> = {};
  for (const [name, one] of Object.entries(functions)) ulps[name] = await worstUlps(device, one, count);
  return {
    fmaIsExact: inexact.every((i) => fused[i] === residue(i)),
    contracts: contracted === 0 ? "never" : contracted === inexact.length ? "always" : "sometimes",
    keepsDenormals: await keepsDenormals(device),
    lanesInOrder: device.facts.features.includes("subgroups") ? await lanesAreInOrder(device) : null,
    arguments: count,
    ulps,
  };
}

async function residues(device: Device, explicit: boolean, ...inputs: readonly Float32Array[]): Promise<Float32Array> {
  const count = inputs[0]?.length ?? 0;
  const reads = inputs.map((values) => device.tensor(values, [count]));
  const out = device.empty([count]);
  device.dispatch(multiplyAdd(explicit), { reads, writes: [out], uniforms: [count], groups: [Math.ceil(count / 64)] });
  const values = (await out.values()) as Float32Array;
  for (const tensor of [...reads, out]) tensor.dispose();
  return values;
}

/** 1e-40 times 1 plus 0: what is flushed comes back as 0. */
async function keepsDenormals(device: Device): Promise<boolean> {
  const [value] = await residues(device, true, Float32Array.of(1e-40), Float32Array.of(1), Float32Array.of(0));
  return value === Math.fround(1e-40);
}

async function lanesAreInOrder(device: Device): Promise<boolean> {
  const out = device.empty([64], "u32");
  device.dispatch(lanes(), { reads: [], writes: [out], groups: [1] });
  const values = await out.values();
  out.dispose();
  return values.every((value) => value === 1);
}

async function worstUlps(device: Device, { op, value, from, to }: Function, count: number): Promise<number> {
  const arguments_ = Float32Array.from({ length: count }, (_, i) => from + ((to - from) * (i + 0.5)) / count);
  const x = device.tensor(arguments_, [count]);
  const y = op(x);
  const got = await y.values();
  for (const tensor of [x, y]) tensor.dispose();
  return arguments_.reduce((worst, argument, i) => {
    const right = value(argument);
    const off = Math.abs((got[i] ?? Number.NaN) - right) / ulpOf(right);
    return Number.isNaN(off) ? Number.MAX_VALUE : Math.max(worst, off);
  }, 0);
}

/** The distance of neighboring f32 near x. */
function ulpOf(x: number): number {
  return 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(x) || 2 ** -126))) - 23);
}
