// What a differentiable function of one number needs to be an op: WGSL of value and derivative, and the value in f64.

import type { Tensor } from "../tensor.ts";
import { defineOp, expectDType, type Op, type OpCase } from "./define.ts";
import { defineFlatKernel, dispatchFlat } from "./elementwise.ts";

export interface UnarySpec<Parameters extends number[]> {
  readonly name: string;
  readonly summary: string;
  /** Names of the extra arguments, uniforms `P.name` in WGSL. */
  readonly parameters?: { readonly [K in keyof Parameters]: string };
  /** WGSL of the value; `x` is a vec4f. */
  readonly forward: string;
  /** WGSL of the input's cotangent from the output's, `g`, and from `x` or `y`, whichever `saves` names. */
  readonly backward: string;
  readonly saves?: "x" | "y";
  /** WGSL functions that `forward` and `backward` call. */
  readonly helpers?: string;
  /** The value in f64. */
  readonly value: (x: number, ...parameters: Parameters) => number;
  /** Arguments of the standard cases; required where there are parameters. */
  readonly arguments?: Parameters;
  /** Inputs of the standard cases are drawn from here. Default `normal`. */
  readonly domain?: "normal" | "positive";
  readonly tolerance?: number;
  /** Inputs worth a case of their own: edges of the domain, kinks, large values. */
  readonly edges?: readonly number[];
}

/** An element-wise op of one f32 tensor of any shape. */
export function defineUnary<Parameters extends number[] = []>(
  spec: UnarySpec<Parameters>,
): ((x: Tensor, ...parameters: Parameters) => Tensor) & Op {
  const { name, saves, helpers = "", parameters = [] as readonly string[] } = spec;
  const names = parameters as readonly string[];
  const common = { out: "vec4f", parameters: names, helpers } as const;
  const forward = defineFlatKernel(() => ({ ...common, name, reads: { x: "vec4f" }, expression: spec.forward }));
  const backward = defineFlatKernel(() => ({
    ...common,
    name: `${name}_backward`,
    reads: saves ? { g: "vec4f", [saves]: "vec4f" } : { g: "vec4f" },
    expression: spec.backward,
  }));
  return defineOp({
    name,
    summary: spec.summary,
    call: (x: Tensor, ...values: Parameters) => ({ inputs: [x], params: values }),
    infer: ([x]) => {
      expectDType(name, x, "f32");
      return [{ shape: x.shape }];
    },
    run: (_device, [x], [out], values) => dispatchFlat(forward(), [x], out, values),
    vjp: ({ inputs: [x], outputs: [y], cotangents: [g], params }) => {
      if (spec.backward === "g") return [g];
      const gradient = g.device.empty(x.shape);
      dispatchFlat(backward(), saves ? [g, saves === "x" ? x : y] : [g], gradient, params);
      return [gradient];
    },
    saves: { inputs: saves === "x" ? [0] : [], outputs: saves === "y" ? [0] : [] },
    reference: ([x], values) => [{ shape: x.shape, data: x.data.map((v) => spec.value(v, ...values)) }],
    cases: casesOf(spec),
  });
}

function casesOf<Parameters extends number[]>(spec: UnarySpec<Parameters>): OpCase<Parameters>[] {
  const shapes = { ragged: [3, 7], "one element": [1], empty: [0, 4], large: [50, 401] };
  const common = {
    params: spec.arguments ?? ([] as unknown as Parameters),
    ...(spec.tolerance === undefined ? {} : { tolerance: spec.tolerance }),
  };
  const cases: OpCase<Parameters>[] = Object.entries(shapes).map(([name, shape]) => ({
    name,
    inputs: [{ shape, values: spec.domain ?? "normal" }],
    ...common,
    full: name === "large",
  }));
  if (spec.edges)
    cases.push({ name: "edges", inputs: [{ shape: [spec.edges.length], values: spec.edges }], ...common });
  return cases;
}
