// Who owns which tensor. Scopes are synchronous: the state below never survives a tick, so async flows can't mix.
import { TensorError } from "../error.ts";
import { claimProcess } from "../only-copy.ts";
import type { Tensor } from "../tensor.ts";

claimProcess(import.meta.url);

const scopes: Set<Tensor>[] = [];
const tags: string[] = [];

/** The tag that new tensors are counted under ("tensors" outside any `withTag`). */
export function currentTag(): string {
  return tags.at(-1) ?? "tensors";
}

/** Counts the memory of tensors made in `fn` under `tag` ("weights", "activations", "optimizer", ...). Synchronous. */
export function withTag<T>(tag: string, fn: () => T): T {
  tags.push(tag);
  try {
    return refusePromise(fn(), "withTag");
  } finally {
    tags.pop();
  }
}

/**
 * Runs `fn` and disposes every tensor made in it, except those it returns (in arrays, plain objects or maps, at any depth), which
 * pass to the enclosing scope or to the caller. Throws `async_scope` when `fn` returns a promise.
 */
export function scope<T>(fn: () => T): T {
  const owned = new Set<Tensor>();
  scopes.push(owned);
  let kept: Set<Tensor> | undefined;
  try {
    const result = refusePromise(fn(), "scope");
    kept = new Set();
    collect(result, kept, owned);
    return result;
  } finally {
    scopes.pop();
    const parent = scopes.at(-1);
    for (const tensor of owned) {
      if (kept?.has(tensor)) parent?.add(tensor);
      else tensor.dispose();
    }
  }
}

/** Called for every new tensor. Outside all scopes a tensor is its maker's to dispose. */
export function adopt(tensor: Tensor): boolean {
  const owner = scopes.at(-1);
  owner?.add(tensor);
  return owner !== undefined;
}

/** Takes a tensor out of the innermost scope, so that it outlives it. */
export function release(tensor: Tensor): void {
  for (const owned of scopes) owned.delete(tensor);
}

export function refusePromise<T>(value: T, what: string): T {
  if (value instanceof Promise) {
    value.catch(() => {});
    throw new TensorError(
      "async_scope",
      `${what}(fn) takes a synchronous function: read tensors after it has returned`,
    );
  }
  return value;
}

function collect(value: unknown, kept: Set<Tensor>, owned: ReadonlySet<Tensor>): void {
  if (typeof value !== "object" || value === null) return;
  if (owned.has(value as Tensor)) kept.add(value as Tensor);
  else if (Array.isArray(value)) for (const item of value) collect(item, kept, owned);
  else if (value instanceof Map) for (const item of value.values()) collect(item, kept, owned);
  else if ("keepAlive" in value && typeof value.keepAlive === "function") collect(value.keepAlive(), kept, owned);
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) collect(item, kept, owned);
}
