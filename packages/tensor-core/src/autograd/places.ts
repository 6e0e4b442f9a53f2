// Where gradients are put: in buffers laid out as the tensors are that one differentiates by, so that what lies side by side there does so here, and an
// optimizer takes all of it at once.
import { emptyRun, neighbors } from "../memory/pack.ts";
import { fill, fillInto } from "../ops/fill.ts";
import type { Tensor } from "../tensor.ts";

export class Places {
  readonly #wrt: readonly Tensor[];
  /** By the id of a tensor, the place of its gradient. */
  readonly #places = new Map<number, Tensor>();
  /** By the id of a tensor, the run that it is in: its buffer is made when the first gradient of it comes. */
  readonly #runs = new Map<number, readonly number[]>();

  /** `given`: the caller's places (one per `wrt`), in place of own ones. */
  constructor(wrt: readonly Tensor[], given: readonly (Tensor | undefined)[] | undefined) {
    this.#wrt = wrt;
    for (const [k, place] of (given ?? []).entries()) this.#set(k, place);
    for (const run of given ? [] : neighbors([wrt])) {
      if (run.length > 1) for (const k of run) this.#runs.set(wrt[k]?.id ?? 0, run);
    }
  }

  #set(k: number, place: Tensor | undefined): void {
    const tensor = this.#wrt[k];
    if (tensor && place) this.#places.set(tensor.id, place);
  }

  /** The place of the gradient by `tensor`, contents undefined until someone fills it; undefined where it may be anywhere. */
  of(tensor: Tensor): Tensor | undefined {
    const run = this.#runs.get(tensor.id);
    if (run && !this.#places.has(tensor.id)) for (const [k, place] of emptyRun(this.#wrt, run)) this.#set(k, place);
    return this.#places.get(tensor.id);
  }

  /** Whether `gradient`, which is one by `tensor`, lies in its place. */
  isAt(tensor: Tensor, gradient: Tensor): boolean {
    return this.#places.get(tensor.id)?.id === gradient.id;
  }

  /** A handle of the gradient by `tensor` in its place; `found` is what there is of it, maybe elsewhere. */
  settle(tensor: Tensor, found: Tensor | undefined): Tensor {
    const place = this.of(tensor);
    if (!place) return found?.alias() ?? fill(tensor.device, tensor.shape, 0);
    if (!found) fillInto(place, 0);
    else if (!this.isAt(tensor, found)) place.device.copyBytes(found, 0, place, 0, place.bytes);
    return place.alias();
  }
}
