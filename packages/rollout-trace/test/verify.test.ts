/** verifyTrace finds the place where a trace and its source part, whatever was changed. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type ImageRef, type Trace, type TraceDifference, type Turn, verifyTrace } from "../src/index.ts";
import { blocksOfTurn, exampleStep, renderTurn, type Source } from "./episodes.ts";
import { steps } from "./random-steps.ts";

const check = (trace: Trace<ImageRef>, source: Source): Promise<TraceDifference[]> =>
  verifyTrace(trace, (episode, index, sampled) => renderTurn(blocksOfTurn(episode.blocks, index), sampled, source));

const places = (differences: readonly TraceDifference[]) =>
  differences.map(({ turn, field, index }) => [turn, field, index]);

/** The trace with one value of one turn's array changed. */
function altered(
  trace: Trace<ImageRef>,
  turn: number,
  field: "tokens" | "blocks" | "positions",
  place: number,
): Trace<ImageRef> {
  const values = trace.turns[turn]![field]!.slice();
  values[place] = values[place]! + 1;
  return withTurn(trace, turn, { [field]: values });
}

function withTurn(trace: Trace<ImageRef>, turn: number, change: Partial<Turn<ImageRef>>): Trace<ImageRef> {
  return { ...trace, turns: trace.turns.with(turn, { ...trace.turns[turn]!, ...change }) };
}

test("traces of the pipeline agree with their source", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (make) => {
      const { step, source } = await make();
      for (const trace of step.traces) expect(await check(trace, source)).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test("one changed token, block or position is named, and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(
      steps,
      fc.nat(),
      fc.nat(),
      fc.constantFrom("tokens", "blocks", "positions"),
      async (make, one, other, field) => {
        const { step, source } = await make();
        const trace = step.traces[one % step.traces.length]!;
        const turn = other % trace.turns.length;
        const unsampled = trace.turns[turn]!.lossMask.filter((value) => value === 0).length;
        const place = other % (field === "positions" ? trace.turns[turn]!.positions!.length : unsampled);
        const found = await check(altered(trace, turn, field, place), source);
        expect(places(found)).toEqual([[turn, field, field === "positions" ? Math.floor(place / 3) : place]]);
        expect(found[0]!.message).toContain(`turn ${turn}: ${field} differ at ${found[0]!.index}`);
      },
    ),
    { numRuns: 60 },
  );
});

describe("other differences", () => {
  test("a sampled id that the text does not say", async () => {
    const { step, source } = await exampleStep();
    const trace = step.traces[0]!;
    const sampledAt = trace.turns[0]!.lossMask.indexOf(1);
    const found = await check(altered(trace, 0, "tokens", sampledAt + 1), source);
    expect(found).toEqual([expect.objectContaining({ field: "text", index: 1, recorded: "B", rebuilt: "C" })]);
  });

  test("an image that was changed between rollout and now, by its patches", async () => {
    const { step, source } = await exampleStep();
    const images = new Map(source.images);
    const { image } = step.traces[0]!.task.content;
    images.set(image.id, { ...images.get(image.id)!, data: new Uint8Array(12) });
    expect(places(await check(step.traces[0]!, { images }))).toEqual([[0, "patches", 0]]);
  });

  test("an image in another place, a missing token, missing positions", async () => {
    const { step, source } = await exampleStep();
    const trace = step.traces[0]!;
    const [first, second] = trace.turns;
    expect(places(await check(withTurn(trace, 0, { images: second!.images }), source))).toEqual([[0, "images", 0]]);
    const shorter = {
      tokens: first!.tokens.slice(1),
      blocks: first!.blocks.slice(1),
      lossMask: first!.lossMask.slice(1),
    };
    expect(places(await check(withTurn(trace, 0, shorter), source))[0]).toEqual([0, "tokens", 0]);
    const { positions: _positions, ...without } = second!;
    const found = await check({ ...trace, turns: [first!, without] }, source);
    expect(found).toEqual([expect.objectContaining({ turn: 1, field: "positions", recorded: undefined, rebuilt: 0 })]);
  });
});
