// A random graph of ops as data: what the generator makes, the f64 references evaluate and a device runs.
import type { DType } from "../../src/index.ts";
import type { Op, ReferenceArray } from "../../src/ops/define.ts";

/** Values are numbered in the order they are made; sources come from the host. */
export interface Source extends ReferenceArray {
  readonly id: number;
  readonly dtype: DType;
  /** Gradients by it are asked for. */
  readonly tracked: boolean;
}

export interface OpNode {
  readonly kind: "op";
  readonly op: Op;
  readonly inputs: readonly number[];
  readonly params: unknown;
  readonly outputs: readonly number[];
}

/** Nodes of which only one value is seen outside. */
export interface Block {
  readonly kind: "scope" | "checkpoint";
  readonly nodes: readonly Node[];
  /** Activations from outside that the nodes read; what else they read is a source. */
  readonly inputs: readonly number[];
  readonly result: number;
}

export type Node = OpNode | Block;

/** One backward pass: from which outputs, by which values, added to given tensors or not. */
export interface Pass {
  readonly seeds: readonly (readonly [output: number, cotangent: Float64Array])[];
  readonly wrt: readonly number[];
  readonly into: boolean;
}

export interface Program {
  readonly sources: readonly Source[];
  readonly nodes: readonly Node[];
  /** Exact contents of every value, by number. */
  readonly values: readonly ReferenceArray[];
  /** Values that are kept; gradients flow from them. */
  readonly outputs: readonly number[];
  readonly passes: readonly Pass[];
}

/** All op nodes in order, out of their blocks. */
export function opsOf(nodes: readonly Node[]): OpNode[] {
  return nodes.flatMap((node) => (node.kind === "op" ? [node] : opsOf(node.nodes)));
}

/** The program as lines that a person can follow. */
export function describeProgram({ sources, nodes, values, outputs, passes }: Program): string {
  const shape = (id: number) => `v${id}[${values[id]!.shape}]`;
  const lines = (list: readonly Node[], indent: string): string[] =>
    list.flatMap((node) => {
      if (node.kind !== "op")
        return [`${indent}v${node.result} = ${node.kind} {`, ...lines(node.nodes, `${indent}  `), `${indent}}`];
      const call = `${node.op.opName}(${node.inputs.map((id) => `v${id}`).join(", ")})`;
      return [`${indent}${node.outputs.map(shape).join(", ")} = ${call} ${JSON.stringify(node.params).slice(0, 120)}`];
    });
  return [
    ...sources.map(({ id, dtype, tracked }) => `${shape(id)} = ${tracked ? "" : "constant "}source ${dtype}`),
    ...lines(nodes, ""),
    `outputs ${outputs.map((id) => `v${id}`).join(", ")}`,
    ...passes.map(
      ({ seeds, wrt, into }) =>
        `backward from ${seeds.map(([id]) => `v${id}`)} by ${wrt.map((id) => `v${id}`)}${into ? ", in place" : ""}`,
    ),
  ].join("\n");
}
