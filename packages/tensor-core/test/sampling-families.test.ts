// Sampling by a thread a row and by a workgroup a row: the same states, ids and log-probs, to the bit.
import { afterAll, beforeAll, expect, test } from "vitest";
import { bannedMask, type Device, deriveSeed, openDevice, sample, scope } from "../src/index.ts";
import { fill } from "../src/ops/fill.ts";
import { blockStates, mergeStates } from "../src/ops/head/block-states.ts";
import { normal, seededRandom } from "../src/testing/index.ts";

let devices: readonly Device[];
beforeAll(async () => {
  devices = await Promise.all([openDevice(), openDevice({ family: "workgroup", limits: "default" })]);
});
afterAll(() => {
  for (const device of devices) device.close();
});

const ROWS = 5;
const bitsOf = (values: Float32Array | Uint32Array): number[] => [...new Uint32Array(values.slice().buffer)];

/** Rows of logits, one of them with values far apart, one with few above -infinity, one with NaN. */
function logitsOf(vocabulary: number): Float32Array {
  const random = seededRandom(`families ${vocabulary}`);
  return Float32Array.from({ length: ROWS * vocabulary }, (_, i) => {
    const [row, id] = [Math.floor(i / vocabulary), i % vocabulary];
    if (row === 2) return id % 37 === 5 ? normal(random) : Number.NEGATIVE_INFINITY;
    if (row === 3 && id === Math.floor(vocabulary / 2)) return Number.NaN;
    return (row === 1 ? 60 : 3) * normal(random);
  });
}

// Vocabularies of less than a block, of several with a ragged end, of rows that are no multiple of 4 apart, and of more blocks than are merged at once.
const vocabularies = [7, 256, 600, 1023, 16_900];

test.each(vocabularies)("a vocabulary of %i", async (vocabulary) => {
  const logits = logitsOf(vocabulary);
  const banned = Array.from({ length: Math.floor(vocabulary / 3) }, (_, i) => (7 * i) % vocabulary);
  for (const settings of [
    { temperature: 1 },
    { temperature: 0 },
    { temperature: 0.7, topP: 0.8 },
    { temperature: 1.4, topK: 3 },
  ]) {
    const [one, other] = await Promise.all(
      devices.map(async (device) => {
        const { ids, logProbs } = scope(() => {
          const seeds = device.tensor(
            Uint32Array.from(Array.from({ length: ROWS }, (_, row) => [...deriveSeed("families", row)]).flat()),
            [ROWS, 2],
          );
          return sample(device.tensor(logits, [ROWS, vocabulary]), {
            ...{ seeds, position: 3, banned: bannedMask(device, vocabulary, banned) },
            ...settings,
          });
        });
        const bits = [ids, logProbs].map(async (x) => bitsOf((await x.values()) as Float32Array | Uint32Array));
        const made = await Promise.all(bits);
        ids.dispose();
        logProbs.dispose();
        return made;
      }),
    );
    expect(other, JSON.stringify(settings)).toEqual(one);
  }
});

test.each(vocabularies)("states of a vocabulary of %i", async (vocabulary) => {
  const logits = logitsOf(vocabulary);
  const inverse = 1 / 0.9;
  const [one, other] = await Promise.all(
    devices.map(async (device) => {
      const whole = scope(() => {
        const held = device.tensor(logits, [ROWS, vocabulary]);
        const mask = bannedMask(device, vocabulary, [0]);
        const slice = { logits: held, rows: ROWS, columns: vocabulary, stride: vocabulary, firstColumn: 0 };
        const totals = fill(device, [ROWS, 4], 0);
        mergeStates(device, totals, blockStates(device, slice, mask, inverse), inverse);
        mergeStates(device, totals, blockStates(device, slice, mask, inverse), inverse); // from a state that is not empty
        return totals;
      });
      const values = (await whole.values()) as Float32Array;
      whole.dispose();
      return values;
    }),
  );
  if (!one || !other) throw new Error("there are two devices");
  for (let row = 0; row < ROWS; row++) {
    const of = (states: Float32Array) => states.slice(4 * row, 4 * row + 4);
    if (row === 3) expect([of(one)[1], of(other)[1]]).toEqual([Number.NaN, Number.NaN]);
    else expect(bitsOf(of(other)), `row ${row}`).toEqual(bitsOf(of(one)));
  }
});
