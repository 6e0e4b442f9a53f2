// Traces as packed sequences: nothing is tokenized again, positions are those of the rollout, patches those it made.
import type { Image, Trajectory, Turn } from "@iapo/rollout-trace";
import { at } from "../checked.ts";
import { QwenVLError } from "../error.ts";
import type { EncodedImage, PromptGroup, ResponseSequence, Sequence } from "../model/pack.ts";

/** Sampled tokens whose log-probs are taken over the same distribution. */
export interface TargetClass {
  readonly temperature: number;
  readonly bannedIds: readonly number[];
  /** Numbers of the targets, ascending, in the packed order. */
  readonly targets: readonly number[];
}

export interface PackedTraces {
  readonly groups: readonly PromptGroup[];
  readonly classes: readonly TargetClass[];
  /** For each sampled token, trace by trace and turn by turn: its place among the targets of all classes, laid end to end. */
  readonly order: Int32Array;
}

/** A part of a trace that is computed in one sequence: turns from a prompt of its own to before the next one. */
interface Stretch {
  readonly trace: number;
  readonly firstTurn: number;
  readonly turns: readonly Turn[];
}

type Range = readonly [number, number];

/**
 * Groups of traces that share their first prompt, or what their prompts begin with; it is packed once. A turn with a fresh prompt starts a
 * sequence of its own. Throws `positions` for a trace without positions, `prompt` for one without a prompt or without a sampled token.
 */
export function packTraces(
  groups: readonly (readonly Trajectory[])[],
  imageOf: (image: Image) => EncodedImage,
  imageToken: number,
): PackedTraces {
  const packed: { group: PromptGroup; stretches: Stretch[] }[] = [];
  let trace = 0;
  for (const traces of groups) {
    const all = traces.map(({ turns }) => stretchesOf(turns, trace++));
    const opening = all.flatMap(([first]) => first ?? []);
    const rest = all.flatMap(([, ...later]) => later);
    for (const stretches of [opening, ...rest.map((stretch) => [stretch])]) {
      if (stretches.length > 0) packed.push({ group: groupOf(stretches, imageOf, imageToken), stretches });
    }
  }
  return { groups: packed.map(({ group }) => group), ...targetsOf(packed.flatMap(({ stretches }) => stretches)) };
}

function stretchesOf(turns: readonly Turn[], trace: number): Stretch[] {
  const starts = turns.flatMap(({ freshPrompt }, turn) => (turn === 0 || freshPrompt ? [turn] : []));
  return starts.map((firstTurn, i) => ({ trace, firstTurn, turns: turns.slice(firstTurn, starts[i + 1]) }));
}

function groupOf(
  stretches: readonly Stretch[],
  imageOf: (image: Image) => EncodedImage,
  imageToken: number,
): PromptGroup {
  const sequences = stretches.map(({ turns }) => sequenceOf(turns, imageOf));
  const { length, images } = sharedPrefix(
    sequences.map((sequence) => cut(sequence, [0, sequence.prompt.tokens], [0, sequence.prompt.images])),
    imageToken,
  );
  return {
    prompt: cut(at(sequences, 0), [0, length], [0, images]),
    responses: sequences.map((sequence) => ({
      ...cut(sequence, [length, sequence.tokens.length], [images, sequence.images.length]),
      targets: sequence.targets.subarray(length),
    })),
  };
}

/** The whole prompt where all are the same, else what they begin with before any image, such as the instructions of different tasks. */
function sharedPrefix(prompts: readonly Sequence[], imageToken: number): { length: number; images: number } {
  const [first, ...others] = prompts as [Sequence, ...Sequence[]];
  if (others.every((other) => isSamePrompt(other, first))) {
    return { length: first.tokens.length, images: first.images.length };
  }
  const sharedAt = (at: number): boolean =>
    first.tokens[at] !== imageToken && others.every((other) => sameToken(other, first, at));
  let length = 0;
  while (sharedAt(length)) length++;
  if (length === 0) throw new QwenVLError("prompt", "the traces of a group do not begin with the same token");
  return { length, images: 0 };
}

/** Tokens before the first sampled one. */
function promptLength({ lossMask }: Turn): number {
  const sampled = lossMask.indexOf(1);
  if (sampled < 1) throw new QwenVLError("prompt", "a turn needs a prompt and at least one sampled token");
  return sampled;
}

/** A stretch as one sequence, and what of it is prompt. */
interface StretchSequence extends ResponseSequence {
  readonly prompt: { readonly tokens: number; readonly images: number };
}

function sequenceOf(turns: readonly Turn[], imageOf: (image: Image) => EncodedImage): StretchSequence {
  const count = turns.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const tokens = new Int32Array(count);
  const positions = new Int32Array(3 * count);
  const targets = new Uint8Array(count);
  let place = 0;
  for (const turn of turns) {
    if (!turn.positions)
      throw new QwenVLError("positions", "a turn holds no positions, so it cannot be computed again");
    tokens.set(turn.tokens, place);
    targets.set(turn.lossMask, place);
    positions.set(turn.positions, 3 * place);
    place += turn.tokens.length;
  }
  const first = at(turns, 0);
  const prompt = { tokens: promptLength(first), images: first.images.length };
  return { tokens, positions, targets, prompt, images: turns.flatMap(({ images }) => images.map(imageOf)) };
}

/** Tokens and images from a first one to before a last one. */
function cut({ tokens, positions, images }: Sequence, [start, end]: Range, [firstImage, lastImage]: Range): Sequence {
  return {
    tokens: tokens.subarray(start, end),
    positions: positions.subarray(3 * start, 3 * end),
    images: images.slice(firstImage, lastImage),
  };
}

function isSamePrompt(one: Sequence, other: Sequence): boolean {
  return (
    one.tokens.length === other.tokens.length &&
    one.tokens.every((_, at) => sameToken(one, other, at)) &&
    one.images.length === other.images.length &&
    one.images.every(({ id }, i) => id === other.images[i]?.id)
  );
}

/** The same id at the same position. */
function sameToken(one: Sequence, other: Sequence, at: number): boolean {
  return (
    at < one.tokens.length &&
    one.tokens[at] === other.tokens[at] &&
    [0, 1, 2].every((axis) => one.positions[3 * at + axis] === other.positions[3 * at + axis])
  );
}

/** A class while its targets are collected; `start`: where they begin when all classes are laid end to end. */
interface OpenClass extends TargetClass {
  readonly targets: number[];
  start: number;
}

function targetsOf(stretches: readonly Stretch[]): Pick<PackedTraces, "classes" | "order"> {
  const classes = new Map<string, OpenClass>();
  const runs: { trace: number; turn: number; known: OpenClass; first: number; count: number }[] = [];
  let target = 0;
  for (const { trace, firstTurn, turns } of stretches) {
    turns.forEach(({ temperature, bannedIds, logProbs }, i) => {
      const key = `${temperature}/${bannedIds.join(",")}`;
      const known = classes.get(key) ?? { temperature, bannedIds, targets: [], start: 0 };
      classes.set(key, known);
      runs.push({ trace, turn: firstTurn + i, known, first: known.targets.length, count: logProbs.length });
      for (let k = 0; k < logProbs.length; k++) known.targets.push(target++);
    });
  }
  let start = 0;
  for (const known of classes.values()) {
    known.start = start;
    start += known.targets.length;
  }
  runs.sort((a, b) => a.trace - b.trace || a.turn - b.turn);
  const order = runs.flatMap(({ known, first, count }) =>
    Array.from({ length: count }, (_, k) => known.start + first + k),
  );
  return { classes: [...classes.values()], order: Int32Array.from(order) };
}
