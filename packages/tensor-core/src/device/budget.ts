// How many bytes tensors and idle buffers may take where nobody says so.
import { deviceMemory, freeMemory } from "#host";
import type { AdapterFacts, AdapterNotes } from "./facts.ts";

/** Of what a card has: the rest is for the screen, the driver and other programs. */
const CARD_SHARE = 0.85;
/** Of the machine's free memory, which an adapter on the CPU shares with everything else. */
const SOFTWARE_SHARE = 0.7;

/** Bytes that tensors may take of a card of `size` bytes: 85 %. */
export function cardBudget(size: number): number {
  return Math.floor(size * CARD_SHARE);
}

/**
 * 70 % of free memory on software adapters; 85 % of the size that the system reports for a card, or of what `iapo doctor --measure` once could
 * allocate. Where neither is known there is no bound, until the driver refuses memory for the first time: from then on it is a little less than what
 * was reserved.
 */
export function defaultBudget(facts: AdapterFacts, { memory }: AdapterNotes = {}): number {
  if (facts.software) return Math.floor(freeMemory() * SOFTWARE_SHARE);
  const size = deviceMemory(facts) ?? memory;
  return size === undefined ? Number.POSITIVE_INFINITY : cardBudget(size);
}
