// What the driver said of each kernel, held against committed bounds.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { hotShare, matrixMultipliesOf } from "./machine-code.ts";

/** A kernel as a driver has compiled it. */
export interface CompiledKernel {
  readonly name: string;
  /** Vector registers of a thread. */
  readonly registers: number;
  readonly spilled: number;
  /** Bytes of memory that a thread uses in place of registers. */
  readonly scratch: number;
  /** Share of multiply-adds in the instructions of its hot loop. */
  readonly multiplyAdds: number;
  /** Instructions of tensor cores. */
  readonly matrixMultiplies: number;
}

/** What a kernel may take, the least share of multiply-adds in its hot loop, and how many instructions of tensor cores it has (by default none). */
export interface Bound {
  readonly registers: number;
  readonly multiplyAdds: number;
  readonly matrixMultiplies?: number;
}

/** Reads the files that the shim wrote of `names`, in the order of compiling. @throws Error where one is missing */
export function readCompiled(folder: string, names: readonly string[]): Promise<CompiledKernel[]> {
  return Promise.all(
    names.map(async (name, i): Promise<CompiledKernel> => {
      const statistics = JSON.parse(await readFile(join(folder, `${i}.json`), "utf8")) as Record<string, number>;
      const of = (key: string): number => {
        const value = statistics[key];
        if (value === undefined) throw new Error(`the driver does not tell "${key}" of ${name}`);
        return value;
      };
      const code = await readFile(join(folder, `${i}.isa`), "latin1");
      return {
        name,
        registers: of("VGPRs"),
        spilled: of("Spilled VGPRs") + of("Spilled SGPRs"),
        scratch: of("Scratch size"),
        multiplyAdds: hotShare(code),
        matrixMultiplies: matrixMultipliesOf(code),
      };
    }),
  );
}

/** Spills, scratch memory, and what passes its bounds. Kernels that have none of their own have `others`. */
export function judge(
  kernels: readonly CompiledKernel[],
  bounds: Readonly<Record<string, Bound>>,
  others: Bound,
): string[] {
  const findings = kernels.flatMap(({ name, registers, spilled, scratch, multiplyAdds, matrixMultiplies }) => {
    const bound = bounds[name] ?? others;
    const matrices = bound.matrixMultiplies ?? 0;
    return [
      ...(spilled > 0 ? [`${name}: ${spilled} registers are spilled`] : []),
      ...(scratch > 0 ? [`${name}: ${scratch} bytes of a thread lie in scratch memory`] : []),
      ...(registers > bound.registers ? [`${name}: ${registers} registers a thread, ${bound.registers} at most`] : []),
      ...(multiplyAdds < bound.multiplyAdds
        ? [
            `${name}: ${percent(multiplyAdds)} of its hot loop are multiply-adds, ${percent(bound.multiplyAdds)} at least`,
          ]
        : []),
      ...(matrixMultiplies !== matrices
        ? [`${name}: ${matrixMultiplies} instructions of tensor cores, not ${matrices}`]
        : []),
    ];
  });
  const names = new Set(kernels.map(({ name }) => name));
  const idle = Object.keys(bounds).filter((name) => !names.has(name));
  return [...findings, ...idle.map((name) => `${name} has bounds, but the step does not use it`)];
}

/** A table for people. */
export function tableOf(kernels: readonly CompiledKernel[]): string {
  const row = ({ name, registers, spilled, scratch, multiplyAdds, matrixMultiplies }: CompiledKernel): string =>
    [name.padEnd(44), registers, spilled, scratch, percent(multiplyAdds), matrixMultiplies]
      .map((x) => String(x).padStart(9))
      .join("");
  const head = ["kernel".padEnd(44), "registers", "spilled", "scratch", "fma", "matrices"]
    .map((x) => x.padStart(9))
    .join("");
  return [head, ...kernels.map(row)].join("\n");
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
