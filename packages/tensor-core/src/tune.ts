// The race: which of the kernels that give equal bits is the fastest for a product on this adapter.
import type { Device } from "./device/device.ts";
import { scope } from "./memory/scope.ts";
import { cast } from "./ops/cast.ts";
import { matmulInto } from "./ops/matmul/dispatch.ts";
import { checked, type MatmulCall, type MatmulLayout } from "./ops/matmul/problem.ts";
import { choicesFor, dispatchChoice, type Tuning, tuningKey } from "./ops/matmul/tuning.ts";
import { randomUniform } from "./ops/random/tensors.ts";
import type { Tensor } from "./tensor.ts";

/** A product that a step has: `nt` is a layer forward, `nn` its backward pass. */
export interface TunedProduct {
  readonly layout: Exclude<MatmulLayout, "tn">;
  readonly dtype: "f32" | "bf16";
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export interface TunedRow extends TunedProduct {
  /** Undefined: what is taken without a table, as nothing was faster by more than a twentieth. */
  readonly choice: string | undefined;
  readonly microseconds: number;
  /** Of what is taken without a table. */
  readonly before: number;
}

/** What is less of a gain is noise. */
const GAIN = 0.95;
const ROUNDS = 5;
/** Seconds of one timing, which starting it shall not count in. */
const SECONDS = 0.01;
/** Bytes of weights that take turns, so that no cache holds them all as a step's weights are not held. */
const ROTATED_BYTES = 256 << 20;
const MOST_COPIES = 64;

/**
 * Times each product in every way that gives its bits, in turns, and returns the fastest: those whose way is not the one taken anyhow are in `tuning`,
 * and so is what the device's own table says of products that were not raced. `onRow` hears of each that was. @throws the reason of `signal`
 */
export async function tuneProducts(
  device: Device,
  products: readonly TunedProduct[],
  { signal, onRow = () => {} }: { readonly signal?: AbortSignal; readonly onRow?: (row: TunedRow) => void } = {},
): Promise<Tuning> {
  const tuning: Record<string, string> = { ...device.facts.tuning };
  for (const product of products) {
    signal?.throwIfAborted();
    using race = new Race(device, product);
    if (race.names.length < 2) continue;
    const before = await race.time(undefined);
    const times = new Map<string, number>();
    for (const name of race.names) times.set(name, await race.time(name));
    const [fastest, microseconds] = [...times].reduce((best, one) => (one[1] < best[1] ? one : best));
    const choice = microseconds < GAIN * before ? fastest : undefined;
    if (choice === undefined) delete tuning[race.key];
    else tuning[race.key] = choice;
    onRow({ ...product, choice, microseconds: choice === undefined ? before : microseconds, before });
  }
  return tuning;
}

class Race {
  readonly names: readonly string[];
  readonly key: string;
  readonly #device: Device;
  readonly #calls: readonly MatmulCall[];
  readonly #tensors: readonly Tensor[];
  #next = 0;

  constructor(device: Device, { layout, dtype, m, n, k }: TunedProduct) {
    this.#device = device;
    const bytes = n * k * (dtype === "bf16" ? 2 : 4);
    const copies = device.facts.software ? 1 : Math.min(MOST_COPIES, Math.ceil(ROTATED_BYTES / bytes));
    const made = scope(() => ({
      a: randomUniform(device, [m, k], [1, 1]),
      out: device.empty([m, n]),
      weights: Array.from({ length: copies }, (_, i) =>
        scope(() => cast(randomUniform(device, layout === "nt" ? [n, k] : [k, n], [2, i]), dtype)),
      ),
    }));
    this.#tensors = [made.a, made.out, ...made.weights];
    this.#calls = made.weights.map((b) => ({ layout, a: made.a, b, out: made.out, m, n, k }));
    const [first] = this.#calls;
    if (!first) throw new RangeError("a race has at least one matrix");
    const problem = checked(first);
    this.names = choicesFor(device, problem);
    this.key = tuningKey(problem);
  }

  /** Microseconds of a product in this way, or as it is taken without a table: the median of rounds. */
  async time(name: string | undefined): Promise<number> {
    await this.#run(name, 1); // compiles
    let times = 1;
    while ((await this.#run(name, times)) < SECONDS && times < 1 << 14) times *= 2;
    const rounds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) rounds.push((await this.#run(name, times)) / times);
    return 1e6 * (rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.POSITIVE_INFINITY);
  }

  async #run(name: string | undefined, times: number): Promise<number> {
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      const call = this.#calls[this.#next++ % this.#calls.length];
      if (!call) continue;
      if (name === undefined) matmulInto(this.#device, call, {});
      else dispatchChoice(this.#device, checked(call), name);
    }
    await this.#device.idle();
    return (performance.now() - start) / 1000;
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#tensors) tensor.dispose();
  }
}
