// Runs a program of python/ in the virtual environment: JSON in, JSON out. Arrays of numbers travel as base64 of little-endian float32.
import { spawn } from "node:child_process";
import { join } from "node:path";

const environment = join(import.meta.dirname, ".venv");

/** No program asks anybody, or writes beside what it was told to. */
const quiet = {
  HF_HUB_OFFLINE: "1",
  HF_DATASETS_OFFLINE: "1",
  TOKENIZERS_PARALLELISM: "false",
  OMP_NUM_THREADS: "2",
  CUDA_VISIBLE_DEVICES: "",
  PYTHONDONTWRITEBYTECODE: "",
};

/** Libraries before those of the environment: the older transformers of transformers4.txt. */
export const transformers4: NodeJS.ProcessEnv = { PYTHONPATH: join(environment, "transformers4") };

export function startPython(program: string, args: readonly string[] = [], more: NodeJS.ProcessEnv = {}) {
  const file = join(import.meta.dirname, "python", `${program}.py`);
  return spawn(join(environment, "bin/python"), [file, ...args], { env: { ...process.env, ...quiet, ...more } });
}

/** What the program prints last, as JSON. @throws with what it wrote where it fails */
export function runPython<T>(program: string, input: unknown, more: NodeJS.ProcessEnv = {}): Promise<T> {
  const child = startPython(program, [], more);
  const out: Buffer[] = [];
  const said: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => said.push(chunk));
  child.stdin.end(JSON.stringify(input));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      const lines = Buffer.concat(out).toString().trimEnd().split("\n");
      if (code === 0) return resolve(JSON.parse(lines.at(-1) ?? "") as T);
      const words = Buffer.concat(said).toString().slice(-6000);
      reject(new Error(`python/${program}.py ended with ${code}:\n${lines.join("\n").slice(-2000)}\n${words}`));
    });
  });
}

export function packed(values: ArrayLike<number>): string {
  return Buffer.from(Float32Array.from(values).buffer).toString("base64");
}

export function unpacked(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);
}

/** Largest absolute difference over the largest absolute value of what is expected. */
export function relative(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (got.length !== expected.length || expected.length === 0)
    throw new Error(`${got.length} numbers against ${expected.length}`);
  let [difference, scale] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const one = Math.abs((got[i] as number) - (expected[i] as number));
    difference = Number.isNaN(one) ? Number.POSITIVE_INFINITY : Math.max(difference, one);
    scale = Math.max(scale, Math.abs(expected[i] as number));
  }
  return difference / scale;
}

/** Prints a row of the table of figures, which `pnpm interop` is run for. */
export function figure(row: string, error: number): void {
  console.log(`interop ${row}: largest error ${error.toExponential(1)}`);
}
