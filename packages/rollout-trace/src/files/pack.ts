// Traces of a group to records and back.
import { storedContent } from "../content.ts";
import { TraceError } from "../error.ts";
import { type ImageRef, imageRef } from "../image.ts";
import type { PromptBlock } from "../prompt.ts";
import type { Task } from "../task.ts";
import type { Trace } from "../trace.ts";
import { traceVersion } from "../trace.ts";
import type { Turn } from "../turn.ts";
import type { StoredGroup, StoredPrompt, StoredSample } from "./records.ts";

/**
 * @throws TraceError `inconsistent` unless the traces are of one group of one step, and share task, policy and prompt; `invalid` for a task
 *   whose content is no plain data
 */
export function packGroup(traces: readonly Trace<ImageRef>[]): [StoredGroup, ...StoredSample[]] {
  const first = traces[0];
  if (first === undefined) throw new TraceError("inconsistent", "a group needs at least one trace");
  const { group, step } = first;
  const task = stored(first.task);
  const prompt = promptOf(first);
  const blocks = sharedBlocks(traces);
  const samples = traces.map((trace): StoredSample => {
    const own = promptOf(trace);
    const same = trace.step === step && trace.group === group && isSame(own, prompt);
    if (!same || !isSame(stored(trace.task), task)) {
      throw new TraceError(
        "inconsistent",
        `step ${trace.step}, group ${trace.group}, sample ${trace.sample}: another step, group, task or prompt than sample ${first.sample} of group ${group} has; the samples of a group share them, so write each group on its own`,
      );
    }
    const [opening, ...later] = trace.turns;
    return {
      kind: "sample",
      sample: trace.sample,
      policyVersion: trace.policyVersion,
      blocks: trace.blocks.slice(blocks.length).map(withoutPixels),
      turns: [cutPrompt(opening!, prompt), ...later].map((turn) => ({ ...turn, images: turn.images.map(imageRef) })),
      toolOutcomes: trace.toolOutcomes.map((outcome) => ({
        ...outcome,
        image: outcome.image && imageRef(outcome.image),
      })),
      rewards: trace.rewards,
    };
  });
  return [{ kind: "group", group, task, blocks, prompt }, ...samples];
}

function stored(task: Task): Task {
  return { ...task, content: storedContent(task.content) };
}

/** @throws TraceError `invalid` where a turn points to a block that the trace does not hold */
export function unpackSample(step: number, group: StoredGroup, sample: StoredSample): Trace<ImageRef> {
  const blocks = [...group.blocks, ...sample.blocks];
  const [opening, ...later] = sample.turns;
  const turns = [addPrompt(opening!, group.prompt), ...later];
  for (const turn of turns) {
    const stray = turn.blocks.find((block) => block < -1 || block >= blocks.length);
    if (stray !== undefined) throw new TraceError("invalid", `a turn points to block ${stray} of ${blocks.length}`);
  }
  return {
    version: traceVersion,
    step,
    group: group.group,
    sample: sample.sample,
    policyVersion: sample.policyVersion,
    task: group.task,
    blocks,
    turns,
    toolOutcomes: sample.toolOutcomes,
    rewards: sample.rewards,
  };
}

function promptOf({ turns }: Trace<ImageRef>): StoredPrompt {
  const turn = turns[0]!;
  const sampled = turn.lossMask.indexOf(1);
  const length = sampled < 0 ? turn.tokens.length : sampled;
  return {
    tokens: turn.tokens.slice(0, length),
    blocks: turn.blocks.slice(0, length),
    images: turn.images.map(imageRef),
    positions: turn.positions?.slice(0, 3 * length),
    patches: turn.patches,
  };
}

function cutPrompt(turn: Turn<ImageRef>, { tokens }: StoredPrompt): Turn<ImageRef> {
  const { length } = tokens;
  return {
    ...turn,
    tokens: turn.tokens.slice(length),
    blocks: turn.blocks.slice(length),
    lossMask: turn.lossMask.slice(length),
    positions: turn.positions?.slice(3 * length),
    images: [],
    patches: undefined,
  };
}

function addPrompt(turn: Turn<ImageRef>, prompt: StoredPrompt): Turn<ImageRef> {
  const { positions: promptPositions, patches, ...rest } = prompt;
  const { positions: ownPositions, patches: _none, ...own } = turn;
  const positions =
    promptPositions &&
    ownPositions &&
    joined(new Int32Array(promptPositions.length + ownPositions.length), promptPositions, ownPositions);
  return {
    ...own,
    tokens: joined(new Int32Array(rest.tokens.length + own.tokens.length), rest.tokens, own.tokens),
    blocks: joined(new Int16Array(rest.blocks.length + own.blocks.length), rest.blocks, own.blocks),
    lossMask: joined(
      new Uint8Array(rest.tokens.length + own.tokens.length),
      new Uint8Array(rest.tokens.length),
      own.lossMask,
    ),
    images: rest.images,
    ...(positions && { positions }),
    ...(patches && { patches }),
  };
}

function joined<A extends { set(array: ArrayLike<number>, offset?: number): void }>(
  target: A,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
): A {
  target.set(first);
  target.set(second, first.length);
  return target;
}

function sharedBlocks(traces: readonly Trace<ImageRef>[]): PromptBlock<ImageRef>[] {
  const blocks = traces[0]!.blocks.map(withoutPixels);
  const differs = blocks.findIndex((block, index) =>
    traces.some((trace) => trace.blocks[index] === undefined || !isSame(withoutPixels(trace.blocks[index]), block)),
  );
  return differs < 0 ? blocks : blocks.slice(0, differs);
}

function withoutPixels(block: PromptBlock<ImageRef>): PromptBlock<ImageRef> {
  return block.kind === "image" ? { ...block, image: imageRef(block.image) } : block;
}

/** Equal as data: typed arrays by their values, keys in any order, undefined as absent. */
function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null)
    return Object.is(one, other);
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  const [left, right] = [one as Record<string, unknown>, other as Record<string, unknown>];
  return [...keys].every((key) => isSame(left[key], right[key]));
}
