// Runs a program on a device and holds it to the references: values, gradients, equal bits of equal passes, and no bytes left behind.
import { checkpoint, type Device, record, scope, type Tensor } from "../../src/index.ts";
import { fill } from "../../src/ops/fill.ts";
import { expectNoLeak, normal } from "../../src/testing/index.ts";
import type { Node, Pass, Program } from "./program.ts";
import { dot, type Evaluation, evaluateWith, largest, type Move, randomErrors, slopes } from "./reference.ts";

/** What rounding may do to one op's result, relative to its largest element. */
const ROUNDING = 2e-6;
/** A difference may be this many times what such errors in every value do to the result. */
const SLACK = 100;
const FORWARD_FLOOR = 4e-6;
const BACKWARD_FLOOR = 1e-4;
/** Sources and seeds are about 1. Where a function saturates, errors are those of 1 - 1: what is smaller than this is held to what this is. */
const SMALL = 0.1;
/** Where errors do more than this, a graph says nothing about the kernels. */
const ILL_CONDITIONED = 1e-4;
const STEP = 1e-5;

export type Outcome = "checked" | "ill-conditioned";

export interface GraphReport {
  readonly outcome: Outcome;
  /** Directions along which a gradient was compared, and those where the function has a kink. */
  readonly directions: number;
  readonly kinks: number;
}

/** Throws an Error that says what differs. */
export async function checkProgram(device: Device, program: Program, random: () => number): Promise<GraphReport> {
  const exact: Evaluation = { values: program.values, errors: undefined };
  const noisy = [0, 1].map(() => evaluateWith(program, randomErrors(program, ROUNDING, random)));
  const spread = (id: number) =>
    Math.max(...noisy.map(({ values }) => difference(values[id]!.data, program.values[id]!.data)));
  const scaleOf = (id: number) => Math.max(largest(program.values[id]!.data), SMALL);
  if (program.outputs.some((id) => !(spread(id) / scaleOf(id) < ILL_CONDITIONED)))
    return { outcome: "ill-conditioned", directions: 0, kinks: 0 };

  const { values, gradients } = await expectNoLeak(device, () => runProgram(device, program));

  program.outputs.forEach((id, k) => {
    const found = difference(values[k]!, program.values[id]!.data);
    const allowed = FORWARD_FLOOR * scaleOf(id) + SLACK * spread(id);
    if (!(found <= allowed)) throw new Error(`v${id} differs by ${found} (allowed ${allowed})`);
  });
  let directions = 0;
  let kinks = 0;
  program.passes.forEach((pass, p) => {
    for (const [what, direction] of directionsOf(program, pass, random)) {
      const along = (at: Evaluation, h: number) => slopes(program, at, pass.seeds, direction, h);
      const expected = along(exact, STEP).slope;
      let got = 0;
      let scale = Math.abs(expected);
      pass.wrt.forEach((id, k) => {
        const by = direction.get(id);
        if (!by) return;
        const gradient = gradients[p]![k]!;
        got += dot(gradient, by);
        scale = Math.max(scale, norm(gradient) * norm(by), SMALL * norm(by));
      });
      const errors = Math.max(...noisy.map((at) => Math.abs(along(at, STEP).slope - expected)));
      const nearer = along(exact, STEP / 4);
      // A tie, as in min(x, x + 0), has its kink at the very point: equal central differences, other slopes on each side.
      const isKink =
        Math.abs(nearer.slope - expected) > 0.1 * BACKWARD_FLOOR * scale ||
        Math.abs(nearer.jump) > BACKWARD_FLOOR * scale;
      if (isKink || errors > ILL_CONDITIONED * scale * 10) {
        kinks++;
        continue;
      }
      directions++;
      const allowed = BACKWARD_FLOOR * scale + SLACK * errors;
      if (!(Math.abs(got - expected) <= allowed))
        throw new Error(
          `pass ${p}: the gradient by ${what} gives ${got}, differences give ${expected} (allowed ${allowed})`,
        );
    }
  });
  return { outcome: "checked", directions, kinks };
}

/** Two single values, and all sources together. */
function directionsOf(program: Program, { wrt }: Pass, random: () => number): [what: string, direction: Move][] {
  const draw = (id: number) => program.values[id]!.data.map(() => normal(random));
  const shuffled = wrt.map((id) => ({ id, key: random() })).sort((a, b) => a.key - b.key);
  const single = shuffled.slice(0, 2).map(({ id }) => [`v${id}`, new Map([[id, draw(id)]])] as [string, Move]);
  const sources = wrt.filter((id) => program.sources.some((s) => s.id === id));
  if (sources.length < 2) return single;
  return [...single, ["all sources", new Map(sources.map((id) => [id, draw(id)]))]];
}

type Contents = Float32Array | Int32Array | Uint32Array;

/** Forward and backward passes; all tensors are gone afterwards. */
async function runProgram(device: Device, program: Program): Promise<{ values: Contents[]; gradients: Contents[][] }> {
  const env = new Map(
    program.sources.map(({ id, shape, dtype, data }) => [id, device.tensor([...data], shape, dtype)]),
  );
  const sources = [...env.values()];
  const tracked = program.sources.filter((s) => s.tracked).map(({ id }) => env.get(id)!);
  const kept: Tensor[] = [];
  const recorded = record(tracked, () =>
    scope(() => {
      runNodes(program.nodes, env);
      return program.outputs.map((id) => env.get(id)!);
    }),
  );
  kept.push(...recorded.value);
  try {
    const values: Contents[] = [];
    for (const tensor of recorded.value) values.push(await tensor.values());
    const gradients: Contents[][] = [];
    const again = program.passes[0]!;
    for (const pass of [...program.passes, again]) {
      const retain = gradients.length < program.passes.length;
      const made = scope(() => {
        const seeds = pass.seeds.map(([id, cotangent]) => {
          const output = env.get(id)!;
          return [output, device.tensor(Float32Array.from(cotangent), output.shape)] as const;
        });
        const wrt = pass.wrt.map((id) => env.get(id)!);
        const into = pass.into ? { into: wrt.map((t) => fill(device, t.shape, 1)) } : {};
        return recorded.backward(seeds, { wrt, retain, ...into });
      });
      const contents: Contents[] = [];
      for (const tensor of made) {
        contents.push((await tensor.values()).map((x) => (pass.into ? x - 1 : x)) as Contents);
        tensor.dispose();
      }
      gradients.push(contents);
    }
    const repeated = gradients.pop()!;
    repeated.forEach((contents, k) => {
      if (String(bits(contents)) !== String(bits(gradients[0]![k]!)))
        throw new Error(`the gradient by v${again.wrt[k]} has other bits when its pass is repeated`);
    });
    return { values, gradients };
  } finally {
    recorded.dispose();
    for (const tensor of [...kept, ...sources]) tensor.dispose();
  }
}

function runNodes(nodes: readonly Node[], env: Map<number, Tensor>): void {
  for (const node of nodes) {
    if (node.kind === "op") {
      const inputs = node.inputs.map((id) => env.get(id)!);
      node.op.apply(inputs, node.params).forEach((tensor, k) => void env.set(node.outputs[k]!, tensor));
      continue;
    }
    const body = (...inputs: Tensor[]): Tensor => {
      const inner = new Map(env);
      inputs.forEach((tensor, k) => void inner.set(node.inputs[k]!, tensor));
      runNodes(node.nodes, inner);
      return inner.get(node.result)!;
    };
    const inputs = node.inputs.map((id) => env.get(id)!);
    env.set(node.result, node.kind === "scope" ? scope(() => body(...inputs)) : checkpoint(body, inputs));
  }
}

function bits(contents: Contents): Uint32Array {
  return new Uint32Array(contents.buffer, contents.byteOffset, contents.length);
}

function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < b.length; i++) {
    const found = Math.abs(a[i]! - b[i]!);
    worst = Math.max(worst, Number.isNaN(found) ? Number.POSITIVE_INFINITY : found);
  }
  return worst;
}

function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a));
}
