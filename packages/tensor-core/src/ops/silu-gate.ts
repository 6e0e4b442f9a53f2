// The gate of a SwiGLU feed-forward layer (Shazeer 2020, arXiv 2002.05202, equation 6), fused.
import { at, matrixShape } from "../checked.ts";
import { defineKernel } from "../submit/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { sigmoidWgsl, siluReference } from "./activation-wgsl.ts";
import { defineOp, expectDType, shapeError } from "./define.ts";
import { defineFlatKernel, dispatchFlat } from "./elementwise.ts";
import { grid, perItemHead } from "./wgsl.ts";

const forward = defineFlatKernel(() => ({
  name: "silu_gate",
  reads: { gate: "vec4f", up: "vec4f" },
  out: "vec4f",
  expression: "gate * sigmoid(gate) * up",
  helpers: sigmoidWgsl,
}));

const backward = defineKernel(() => ({
  name: "silu_gate_backward",
  reads: { gate_data: "vec4f", up_data: "vec4f", g_data: "vec4f" },
  writes: { gateGradient: "vec4f", upGradient: "vec4f" },
  uniforms: { items: "u32" },
  code: `${sigmoidWgsl}${perItemHead}
  if (i >= P.items) { return; }
  let gate = gate_data[i];
  let g = g_data[i];
  gateGradient[i] = g * up_data[i] * silu_slope(gate);
  upGradient[i] = g * gate * sigmoid(gate);
}`,
}));

const halves = defineKernel(() => ({
  name: "silu_gate_halves",
  reads: { x: "vec4f" },
  writes: { out: "vec4f" },
  uniforms: { items: "u32", width: "u32" },
  code: `${sigmoidWgsl}${perItemHead}
  if (i >= P.items) { return; }
  let at = i / P.width * P.width + i; // a row of x is twice as wide
  let gate = x[at];
  let up = x[at + P.width];
  out[i] = gate * sigmoid(gate) * up;
}`,
}));

const halvesBackward = defineKernel(() => ({
  name: "silu_gate_halves_backward",
  reads: { x: "vec4f", g_data: "vec4f" },
  writes: { dx: "vec4f" },
  uniforms: { items: "u32", width: "u32" },
  code: `${sigmoidWgsl}${perItemHead}
  if (i >= P.items) { return; }
  let at = i / P.width * P.width + i;
  let gate = x[at];
  let g = g_data[i];
  dx[at] = g * x[at + P.width] * silu_slope(gate);
  dx[at + P.width] = g * gate * sigmoid(gate);
}`,
}));

/** Uniforms and groups of a kernel over rows of halves. */
function overHalves(out: Tensor): { uniforms: number[]; groups: [number, number] } {
  const items = out.size / 4;
  return { uniforms: [items, (out.shape[1] ?? 0) / 4], groups: grid(out.device, items) };
}

/**
 * `siluGate` of the two halves of each row of `x` f32 `[rows, 2 width]`, gate first, to the same bits; `width` is a multiple of 4. Throws `shape`,
 * `dtype`.
 */
export const siluGateHalves = defineOp({
  name: "siluGateHalves",
  summary: "silu(gate) · up, where gate and up are the halves of each row",
  call: (x: Tensor) => ({ inputs: [x], params: {} }),
  infer: ([x]) => {
    expectDType("siluGateHalves", x, "f32");
    const [rows, both, ...more] = x.shape;
    if (rows === undefined || both === undefined || both % 8 !== 0 || more.length > 0)
      shapeError("siluGateHalves", `takes rows of two halves, each a multiple of 4, not ${x}`);
    return [{ shape: [rows, both / 2] }];
  },
  run: (device, reads, [out]) => device.dispatch(halves(), { reads, writes: [out], ...overHalves(out) }),
  vjp: ({ inputs: [x], cotangents: [g] }) => {
    const dx = x.device.empty(x.shape);
    x.device.dispatch(halvesBackward(), { reads: [x, g], writes: [dx], ...overHalves(g) });
    return [dx];
  },
  reference: ([x]) => {
    const [rows, both] = matrixShape(x);
    const width = both / 2;
    const data = Float64Array.from({ length: rows * width }, (_, i) => {
      const place = Math.floor(i / width) * width + i;
      return siluReference(at(x.data, place)) * at(x.data, place + width);
    });
    return [{ shape: [rows, width], data }];
  },
  cases: [
    { name: "rows", inputs: [{ shape: [5, 24] }], params: {} },
    { name: "no rows", inputs: [{ shape: [0, 8] }], params: {} },
    { name: "saturated", inputs: [{ shape: [1, 8], values: [-300, -40, 40, 300, 1, 2, 3, 4] }], params: {} },
    { name: "large", inputs: [{ shape: [120, 328] }], params: {}, full: true },
  ],
});

/** `gate · sigmoid(gate) · up`; f32, equal shapes. */
export const siluGate = defineOp({
  name: "siluGate",
  summary: "silu(gate) · up",
  call: (gate: Tensor, up: Tensor) => ({ inputs: [gate, up], params: {} }),
  infer: ([gate, up]) => {
    for (const x of [gate, up]) expectDType("siluGate", x, "f32");
    if (String(gate.shape) !== String(up.shape)) shapeError("siluGate", `${gate} and ${up} differ in shape`);
    return [{ shape: gate.shape }];
  },
  run: (_device, reads, [out]) => dispatchFlat(forward(), reads, out),
  vjp: ({ inputs: [gate, up], cotangents: [g] }) => {
    const { device } = gate;
    const gradients = [device.empty(gate.shape), device.empty(gate.shape)] as const;
    const items = Math.ceil(gate.size / 4);
    device.dispatch(backward(), {
      reads: [gate, up, g],
      writes: gradients,
      uniforms: [items],
      groups: grid(device, items),
    });
    return gradients;
  },
  reference: ([gate, up]) => [{ shape: gate.shape, data: gate.data.map((x, i) => siluReference(x) * at(up.data, i)) }],
  cases: [
    { name: "ragged", inputs: [{ shape: [3, 7] }, { shape: [3, 7] }], params: {} },
    { name: "one element", inputs: [{ shape: [1] }, { shape: [1] }], params: {} },
    { name: "empty", inputs: [{ shape: [0, 4] }, { shape: [0, 4] }], params: {} },
    { name: "saturated", inputs: [{ shape: [4], values: [-300, -40, 40, 300] }, { shape: [4] }], params: {} },
    { name: "large", inputs: [{ shape: [120, 161] }, { shape: [120, 161] }], params: {}, full: true },
  ],
});
