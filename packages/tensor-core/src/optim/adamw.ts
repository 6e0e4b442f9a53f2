// AdamW: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019), with the update order of PyTorch's torch.optim.AdamW.
import { at } from "../checked.ts";
import type { Device } from "../device/device.ts";
import { TensorError } from "../error.ts";
import { emptyAlike, neighbors, spanOf } from "../memory/pack.ts";
import { scope, withTag } from "../memory/scope.ts";
import { aligned } from "../ops/aligned.ts";
import { fill, fillInto } from "../ops/fill.ts";
import { grid } from "../ops/wgsl.ts";
import { Tensor } from "../tensor.ts";
import { countKernel, updateKernel } from "./adamw-kernels.ts";
import { clipByGlobalNorm } from "./clip.ts";

export interface OptimizedParameter {
  /** f32, updated in place. May be row-sharded. */
  readonly master: Tensor;
  /**
   * The master rounded to bf16 (nearest even), of its shape and shards, rewritten after each step that is applied: as bf16, or as f32 for
   * those vectors of a bf16 model that kernels take as f32.
   */
  readonly runCopy?: Tensor;
  /** Overrides the optimizer's weight decay: 0 for norms and biases, by custom. */
  readonly weightDecay?: number;
}

export interface AdamWOptions {
  /** Decay rates of the first and second moment, in [0, 1). Default 0.9, 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0.01. */
  readonly weightDecay?: number;
}

export interface StepOptions {
  readonly learningRate: number;
  /** What `clipByGlobalNorm` returned for these gradients. Default: no clipping. Either way a step whose gradients are not finite changes nothing but the count of skipped steps. */
  readonly clip?: Tensor;
}

/** Running means of the gradient and of its square, f32, of the master's shape and shards. */
export interface Moments {
  readonly first: Tensor;
  readonly second: Tensor;
}

/** The optimizer of a list of parameters. A step is recorded and waits for nothing; its state lives on the device. */
export class AdamW {
  readonly parameters: readonly OptimizedParameter[];
  /** One entry per parameter. With `counter` it is all the state that a checkpoint holds. */
  readonly moments: readonly Moments[];
  /** f32 [4]: steps applied, steps skipped, and the last step's bias corrections. */
  readonly counter: Tensor;
  readonly #device: Device;
  readonly #betas: readonly [number, number];
  readonly #epsilon: number;
  readonly #weightDecay: number;

  /** Throws `argument` for no parameters or a constant out of range, `dtype` and `shape` for a master or run copy that does not fit, `out_of_memory`. */
  constructor(parameters: readonly OptimizedParameter[], options: AdamWOptions = {}) {
    const { betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0.01 } = options;
    const first = parameters[0];
    if (!first) throw new TensorError("argument", "AdamW needs at least one parameter");
    for (const beta of betas) inRange("a beta", beta, beta >= 0 && beta < 1);
    inRange("epsilon", epsilon, epsilon > 0);
    inRange("weight decay", weightDecay, weightDecay >= 0);
    for (const parameter of parameters) checkParameter(parameter);
    this.parameters = parameters;
    this.#device = first.master.device;
    this.#betas = betas;
    this.#epsilon = epsilon;
    this.#weightDecay = weightDecay;
    const masters = parameters.map(({ master }) => master);
    const made = withTag("optimizer", () =>
      scope(() => {
        const [first, second] = [zerosAlike(masters), zerosAlike(masters)];
        const moments = masters.map((_, k) => ({ first: at(first, k), second: at(second, k) }));
        return { moments, counter: fill(this.#device, [4], 0) };
      }),
    );
    this.moments = made.moments;
    this.counter = made.counter;
  }

  /** Records one step. `gradients` are f32, one per parameter, sharded alike; they are only read. Throws `shape` or `argument`. */
  step(gradients: readonly Tensor[], options: StepOptions): void {
    const { learningRate } = options;
    inRange("learning rate", learningRate, learningRate >= 0);
    if (gradients.length !== this.parameters.length) {
      const counts = `${gradients.length} gradients for ${this.parameters.length} parameters`;
      throw new TensorError("argument", `AdamW: ${counts}`);
    }
    gradients.forEach((gradient, k) => {
      expectLike("gradient", gradient, at(this.parameters, k).master, ["f32"]);
    });
    scope(() => {
      const decision = options.clip ?? clipByGlobalNorm(gradients, Number.POSITIVE_INFINITY);
      if (!(decision instanceof Tensor) || decision.dtype !== "f32" || String(decision.shape) !== "4")
        throw new TensorError("argument", `AdamW: clip is what clipByGlobalNorm returns, not ${String(decision)}`);
      const [beta1, beta2] = this.#betas;
      this.#device.dispatch(countKernel(), {
        reads: [decision],
        writes: [this.counter],
        uniforms: [logOf(beta1), logOf(beta2)],
        groups: [1],
      });
      this.#together(gradients, (weightDecay, tensors) => {
        const decay = 1 - learningRate * weightDecay;
        this.#update(tensors, decision, [learningRate, decay, 1 - beta1, beta2, 1 - beta2, this.#epsilon]);
      });
    });
  }

  /** How many steps were applied and skipped so far; waits for them. */
  async readSteps(): Promise<{ applied: number; skipped: number }> {
    const counts = await this.counter.values();
    return { applied: at(counts, 0), skipped: at(counts, 1) };
  }

  /** Frees the moments; parameters stay their owner's. */
  dispose(): void {
    for (const { first, second } of this.moments) {
      first.dispose();
      second.dispose();
    }
    this.counter.dispose();
  }

  /** Calls `update` with the tensors of each parameter, and with those of neighbors at once: element by element the update is the same for all. */
  #together(
    gradients: readonly Tensor[],
    update: (weightDecay: number, tensors: readonly [gradient: Tensor, ...writes: Tensor[]]) => void,
  ): void {
    const { parameters, moments } = this;
    const lists = [
      parameters.map(({ master }) => master),
      moments.map(({ first }) => first),
      moments.map(({ second }) => second),
    ];
    const copies = parameters.map(({ master, runCopy }) => runCopy ?? master);
    const decayOf = (k: number): number => at(parameters, k).weightDecay ?? this.#weightDecay;
    const hasCopy = (k: number): boolean => at(parameters, k).runCopy !== undefined;
    const alike = (one: number, next: number): boolean =>
      decayOf(one) === decayOf(next) && hasCopy(one) === hasCopy(next);
    for (const run of neighbors([gradients, ...lists, copies], alike)) {
      const first = at(run, 0);
      const writes = (hasCopy(first) ? [...lists, copies] : lists).map((list) => spanOf(list, run));
      update(decayOf(first), [spanOf(gradients, run), ...writes]);
    }
  }

  #update(
    [gradient, ...writes]: readonly [gradient: Tensor, ...writes: Tensor[]],
    decision: Tensor,
    constants: readonly number[],
  ): void {
    const runCopy = writes[3];
    const parts = writes.map((tensor) => tensor.parts());
    const kernel = updateKernel(runCopy ? (runCopy.dtype as "f32" | "bf16") : "none");
    gradient.parts().forEach(({ tensor }, part) => {
      const temporary: Tensor[] = [];
      const items = Math.ceil(tensor.size / 4);
      this.#device.dispatch(kernel, {
        reads: [aligned(tensor, temporary), decision, this.counter],
        writes: parts.map((list) => at(list, part).tensor),
        uniforms: [items, ...constants],
        groups: grid(this.#device, items),
      });
      for (const copy of temporary) copy.dispose();
    });
  }
}

/** Zeros of the shapes and shards of `tensors`, side by side where they are. */
function zerosAlike(tensors: readonly Tensor[]): readonly Tensor[] {
  const made = emptyAlike(tensors);
  for (const run of neighbors([made])) for (const { tensor } of spanOf(made, run).parts()) fillInto(tensor, 0);
  return made;
}

/** The smallest f32 stands for the logarithm of 0: 1 - 0^t is 1. */
function logOf(beta: number): number {
  return Math.max(Math.log(beta), -3.4e38);
}

function checkParameter({ master, runCopy, weightDecay = 0 }: OptimizedParameter): void {
  expectLike("master", master, master, ["f32"]);
  if (runCopy) expectLike("run copy", runCopy, master, ["f32", "bf16"]);
  inRange("weight decay", weightDecay, weightDecay >= 0);
}

function expectLike(what: string, tensor: Tensor, master: Tensor, dtypes: readonly string[]): void {
  if (!dtypes.includes(tensor.dtype))
    throw new TensorError("dtype", `AdamW: a ${what} is ${dtypes.join(" or ")}, not ${tensor}`);
  const layout = (t: Tensor) => t.parts().map(({ tensor: part }) => String(part.shape));
  if (layout(tensor).join(" ") !== layout(master).join(" "))
    throw new TensorError("shape", `AdamW: the ${what} ${tensor} is not shaped and sharded as its master ${master}`);
}

function inRange(what: string, value: number, ok: boolean): void {
  if (!ok || !Number.isFinite(value)) throw new TensorError("argument", `AdamW: ${what} may not be ${value}`);
}
