// The browser's counterpart of host.node.ts.
import { TensorError } from "../error.ts";
import type { AdapterNotes } from "./facts.ts";
import type { WebGpu } from "./webgpu.ts";

/** The page's GPU object. */
export async function systemGpu(): Promise<WebGpu<"GPU"> | undefined> {
  return (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
}

/** A browser does not poll: nothing to soften. */
export function politely<T>(promise: Promise<T>): Promise<T> {
  return promise;
}

/** A page cannot ask. */
export function freeMemory(): number {
  return Number.POSITIVE_INFINITY;
}

/** Nor for a card's memory. */
export function deviceMemory(): undefined {
  return undefined;
}

/** The browser chooses. */
export function environmentOptions(): {
  readonly adapter: string;
  readonly family: undefined;
  readonly memoryBudget: undefined;
} {
  return { adapter: "", family: undefined, memoryBudget: undefined };
}

/** Nor does it tell. */
export async function listAdapters(): Promise<string[]> {
  return [];
}

export function namesIn(): string[] {
  return [];
}

export function adviceForSystem(): string {
  return "This browser gives none: WebGPU needs a secure context (https or localhost), and a browser and a GPU that have it.";
}

/** A page keeps nothing. */
export function readNotes(): AdapterNotes {
  return {};
}

export function writeNotes(): string {
  throw new TensorError("argument", "a page keeps no notes of its adapter");
}

export function cardInSight(): undefined {
  return undefined;
}

/** A page cannot ask. */
export function collectGarbage(): void {}
