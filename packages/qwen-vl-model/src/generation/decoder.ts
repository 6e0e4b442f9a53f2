// Samples turns on the GPU, a chunk of tokens at a time: sample, then compute the sampled token. The commands of one step are appended again for the next
// ones, also in later chunks, until more blocks of keys are seen.
import {
  type Captured,
  deriveSeed,
  keepPacked,
  linear,
  noGrad,
  rowRange,
  rowSegment,
  type SampleOptions,
  type Seed,
  sample,
  scope,
  type Tensor,
} from "@iapo/tensor-core";
import type { QwenVLModel } from "../model/model.ts";
import { textPositions } from "../model/response.ts";
import type { KeyValueCache } from "./cache.ts";
import { type Draft, seenBy } from "./draft.ts";
import { type NewRows, rowsOf } from "./pass.ts";
import { type GenerateRequest, sampleOptionsOf } from "./request.ts";
import { seenColumns, withSampled } from "./seen.ts";
import { type StepAtHand, type StepRows, type Steps, uploadSteps } from "./steps.ts";

/** Tokens sampled between two readbacks. */
export const CHUNK = 8;

/** A turn being sampled, and where it begins. */
export interface DraftPlace {
  readonly draft: Draft;
  /** Of the first token in the cache, and what it would see without the turn. */
  readonly row: number;
  readonly keys: NewRows["keys"];
}

/** What a step gives: what was drawn, and the hidden state behind it. */
interface Step {
  readonly ids: Tensor;
  readonly logProbs: Tensor;
  readonly next: Tensor;
}

export class Decoder {
  readonly #model: QwenVLModel;
  readonly #cache: KeyValueCache;
  readonly #places: readonly DraftPlace[];
  readonly #request: GenerateRequest;
  readonly #seeds: readonly Seed[];
  readonly #options: ReturnType<typeof sampleOptionsOf>;
  /** `[drafts, hidden]` behind the tokens sampled last. */
  readonly #hidden: Tensor;
  /** The step at hand, its form, and the adapter it is computed with. */
  #atHand: (StepAtHand & Pick<Steps, "form"> & Pick<QwenVLModel, "adapter">) | undefined;
  #captured: Captured<Step> | undefined;

  /** For drafts of as many tokens; their hidden states are `rows` of `states`. The caller disposes it. */
  constructor(
    model: QwenVLModel,
    cache: KeyValueCache,
    places: readonly DraftPlace[],
    [states, rows]: readonly [Tensor, readonly number[]],
    request: GenerateRequest,
  ) {
    this.#model = model;
    this.#cache = cache;
    this.#places = places;
    this.#request = request;
    this.#seeds = places.map(({ draft: { seed, response } }) => deriveSeed(...seed, response.turns));
    const { hidden, options } = noGrad(() =>
      scope(() => ({ hidden: rowsOf(states, rows), options: sampleOptionsOf(model, request.sampling) })),
    );
    this.#hidden = hidden;
    this.#options = options;
  }

  /** Another one for the drafts `rows` of this one. */
  only(rows: readonly number[]): Decoder {
    const places = this.#places.filter((_, row) => rows.includes(row));
    return new Decoder(this.#model, this.#cache, places, [this.#hidden, rows], this.#request);
  }

  /** Submits up to `CHUNK` tokens. Ids and log-probs are `[steps, drafts]`. */
  decode(): Promise<readonly [ids: Uint32Array, logProbs: Float32Array]> {
    const { ids, logProbs } = noGrad(() => scope(() => keepPacked(this.#model.device, () => this.#chunk())));
    const read = Promise.all([ids.read(), logProbs.read()]);
    ids.dispose();
    logProbs.dispose();
    return read;
  }

  dispose(): void {
    this.#forget();
    const { banned, bias } = this.#options;
    for (const tensor of [this.#hidden, banned, bias?.ids, bias?.values]) tensor?.dispose();
  }

  #chunk() {
    const { device } = this.#model;
    const { sampling, stop } = this.#request;
    const drafts = this.#places.map(({ draft }) => draft);
    const done = Math.max(...drafts.map(({ count }) => count)); // the same for all
    const count = Math.min(CHUNK, stop.maxTokens - done);
    const { repetitionPenalty: factor = 1 } = sampling;
    const seen = factor === 1 ? undefined : seenColumns(device, drafts.map(seenBy));
    // All of them first: an upload between steps would submit what is recorded by then.
    const steps = uploadSteps(
      this.#model,
      this.#cache.rows,
      Array.from({ length: count }, (_, step) => this.#rowsOfStep(done + step)),
    );
    const atHand = this.#prepare(steps);
    const shape = [count, drafts.length];
    const [ids, logProbs] = [device.empty(shape, "u32"), device.empty(shape)];
    // A processor's commands take packed copies of weights, which it has from the second step of a chunk on to the chunk's end.
    const hasCopies = device.facts.family === "software";
    for (let step = 0; step < count; step++) {
      steps.load(step, atHand);
      const made = seen
        ? this.#compute(atHand, { repetition: { ids: withSampled(seen, rowRange(ids, 0, step)), factor } })
        : this.#next(atHand, !hasCopies || step > 0);
      for (const [from, to] of [
        [made.ids, ids],
        [made.logProbs, logProbs],
      ] as const)
        device.copyBytes(from, 0, to, step * from.bytes, from.bytes);
      device.copyBytes(made.next, 0, this.#hidden, 0, this.#hidden.bytes);
    }
    if (hasCopies) this.#forget();
    return {
      ids: ids as Tensor & { readonly dtype: "u32" },
      logProbs: logProbs as Tensor & { readonly dtype: "f32" },
      kept: [this.#atHand, this.#captured?.value],
    };
  }

  /** What steps of this form read. */
  #prepare(steps: Steps): StepAtHand {
    const { adapter } = this.#model;
    if (this.#atHand?.form !== steps.form || this.#atHand.adapter !== adapter) this.#forget();
    this.#atHand ??= { ...steps.atHand(), form: steps.form, adapter };
    return this.#atHand;
  }

  /** The step at hand, by the commands of one before it where there are some. */
  #next(atHand: StepAtHand, canCapture: boolean): Step {
    if (this.#captured) {
      this.#captured.replay?.();
      return this.#captured.value;
    }
    if (!canCapture) return this.#compute(atHand);
    const captured = this.#model.device.capture(() => this.#compute(atHand));
    if (captured.replay) this.#captured = captured;
    return captured.value;
  }

  #compute({ layout, targets, draws }: StepAtHand, more: Pick<SampleOptions, "repetition"> = {}): Step {
    return scope(() => {
      const logits = linear(this.#hidden, this.#model.head);
      const drawn = sample(logits, { ...this.#options, ...more, seeds: draws, position: 0 });
      this.#cache.target = targets;
      const embeddings = { rows: this.#model.embedTokens(drawn.ids), deep: [] };
      return { ...drawn, next: this.#model.hidden(embeddings, { layout }, { cache: this.#cache }) };
    });
  }

  /** Of what was recorded nothing is good any more. */
  #forget(): void {
    const { block } = this.#atHand ?? {};
    const { ids, logProbs, next } = this.#captured?.value ?? {};
    for (const tensor of [block?.words, ...(block?.tensors ?? []), ids, logProbs, next]) tensor?.dispose();
    this.#captured?.release();
    this.#captured = undefined;
    this.#atHand = undefined;
  }

  /** Where the turns' tokens with this number stand: one row each, behind what each has in the cache. */
  #rowsOfStep(token: number): StepRows {
    return {
      positions: Int32Array.from(
        this.#places.flatMap(({ draft: { response } }) => [...textPositions(response.nextPosition + token, 1)]),
      ),
      segments: this.#places.map(({ keys }, row) =>
        rowSegment(row, 1, { ...keys, ownCount: keys.ownCount + token + 1 }),
      ),
      targets: Int32Array.from(this.#places, ({ row }) => row + token),
      draws: Uint32Array.from(this.#seeds.flatMap((seed) => [...seed, token])),
    };
  }
}
