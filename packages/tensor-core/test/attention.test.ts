// What a row of attention depends on: its own keys, and nothing else. Equal bits however rows are packed, shared, split or tiled.
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type AttentionShape,
  attention,
  type Device,
  openDevice,
  planningDevice,
  record,
  type Segment,
  Segments,
  scope,
  TensorError,
  typicalCard,
} from "../src/index.ts";
import { backward } from "../src/ops/attention/backward.ts";
import { packed, sharedPrefix } from "../src/ops/attention/cases.ts";
import { forward } from "../src/ops/attention/forward.ts";
import { checkCase, normal, seededRandom } from "../src/testing/index.ts";

// The first test of a card's kernel compiles it, and a software adapter's compiler is slow on them.
vi.setConfig({ testTimeout: 600_000 });
const full = process.env.IAPO_FULL === "1";
const [heads, kvHeads] = [4, 2];
let software: Device;
let workgroup: Device;
beforeAll(async () => {
  software = await openDevice();
  workgroup = await openDevice({ limits: "default", family: "workgroup" });
});
afterAll(() => {
  software.close();
  workgroup.close();
});

interface Rows {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
}

function randomRows(seed: string, queries: number, keys: number, headDim: number): Rows {
  const random = seededRandom(seed);
  const make = (size: number) => Float32Array.from({ length: size }, () => normal(random));
  return {
    q: make(queries * heads * headDim),
    k: make(keys * kvHeads * headDim),
    v: make(keys * kvHeads * headDim),
  };
}

async function outputOf(
  device: Device,
  { q, k, v }: Rows,
  list: readonly Segment[],
  headDim: number,
): Promise<Uint32Array> {
  const shape = { heads, kvHeads, headDim, scale: headDim ** -0.5 };
  const matrix = (data: Float32Array, width: number) => device.tensor(data, [data.length / width, width]);
  const out = scope(() => {
    const segments = Segments.of(device, list);
    return attention(
      matrix(q, heads * headDim),
      matrix(k, kvHeads * headDim),
      matrix(v, kvHeads * headDim),
      segments,
      shape,
    );
  });
  const values = await out.read();
  out.dispose();
  return new Uint32Array((values as Float32Array).buffer);
}

/** Rows `start` to `start + count` of a matrix. */
function rows(data: Float32Array, width: number, start: number, count: number): Float32Array {
  return data.slice(start * width, (start + count) * width);
}

function joined(...parts: Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

const families = [
  { name: "software", device: () => software },
  { name: "workgroup", device: () => workgroup },
];

describe.each(families)("$name kernels", ({ device }) => {
  const headDim = 16;
  const [qWidth, kWidth] = [heads * headDim, kvHeads * headDim];

  test.each([true, false])("a packed sequence has the bits of the sequence alone (causal: %s)", async (causal) => {
    const lengths = [70, 1, 17, 33];
    const total = lengths.reduce((a, b) => a + b, 0);
    const batch = randomRows("packed", total, total, headDim);
    const together = await outputOf(device(), batch, packed(lengths, causal), headDim);
    let start = 0;
    for (const length of lengths) {
      const { q, k, v } = batch;
      const one: Rows = {
        q: rows(q, qWidth, start, length),
        k: rows(k, kWidth, start, length),
        v: rows(v, kWidth, start, length),
      };
      const alone = await outputOf(device(), one, packed([length], causal), headDim);
      expect(alone).toEqual(together.slice(start * qWidth, (start + length) * qWidth));
      start += length;
    }
  });

  test("decoding a token at a time has the bits of prefill, split over keys or not", async () => {
    const total = 270;
    const batch = randomRows("decode", total, total, headDim);
    const prefill = await outputOf(device(), batch, packed([total], true), headDim);
    for (const step of [0, 1, 63, 64, 65, 130, 191, 192, 200, 269]) {
      const one = { ...batch, q: rows(batch.q, qWidth, step, 1) };
      const list = [
        { queryStart: 0, queryCount: 1, prefixStart: 0, prefixCount: 0, ownStart: 0, ownCount: step + 1, causal: true },
      ];
      const token = await outputOf(device(), one, list, headDim);
      expect(token, `step ${step}`).toEqual(prefill.slice(step * qWidth, (step + 1) * qWidth));
      // The same token among many others, which leaves nothing to split.
      const many = {
        ...batch,
        q: joined(...Array.from({ length: 300 }, () => one.q)),
      };
      const crowd = Array.from({ length: 300 }, (_, i) => ({ ...list[0]!, queryStart: i }));
      const last = await outputOf(device(), many, crowd, headDim);
      expect(last.slice(-qWidth), `step ${step} in a batch`).toEqual(token);
    }
  });

  test("responses that share their prompt have the bits of prompt and response together", async () => {
    const [prompt, responses] = [75, [20, 1, 40]] as const;
    const total = prompt + responses.reduce((a, b) => a + b, 0);
    const batch = randomRows("shared", total, total, headDim);
    const shared = await outputOf(device(), batch, sharedPrefix(prompt, responses), headDim);
    let start = prompt;
    for (const length of responses) {
      const both = (data: Float32Array, width: number) =>
        joined(rows(data, width, 0, prompt), rows(data, width, start, length));
      const one: Rows = { q: both(batch.q, qWidth), k: both(batch.k, kWidth), v: both(batch.v, kWidth) };
      const unshared = await outputOf(device(), one, packed([prompt + length], true), headDim);
      expect(unshared.slice(0, prompt * qWidth)).toEqual(shared.slice(0, prompt * qWidth));
      expect(unshared.slice(prompt * qWidth)).toEqual(shared.slice(start * qWidth, (start + length) * qWidth));
      start += length;
    }
  });

  test("a second turn on the cache has the bits of one pass", async () => {
    const [first, second] = [50, 30];
    const total = first + second;
    const batch = randomRows("second turn", total, total, headDim);
    const whole = await outputOf(device(), batch, packed([total], true), headDim);
    const turn = { ...batch, q: rows(batch.q, qWidth, first, second) };
    const list = [
      { queryStart: 0, queryCount: second, prefixStart: 0, prefixCount: 0, ownStart: 0, ownCount: total, causal: true },
    ];
    expect(await outputOf(device(), turn, list, headDim)).toEqual(whole.slice(first * qWidth));
  });
});

describe("tiles in dispatches of their own", () => {
  test.each(families)("have the bits of one dispatch, forward and backward ($name)", async ({ device }) => {
    const own = device();
    const headDim = 16;
    const { q, k, v } = randomRows("tiles", 105, 105, headDim);
    const made = scope(() => {
      const segments = Segments.of(own, sharedPrefix(75, [9, 1, 20]));
      const params = { heads, kvHeads, headDim, scale: headDim ** -0.5, plan: segments.plan };
      const matrix = (data: Float32Array, width: number) => own.tensor(data, [data.length / width, width]);
      const [qRows, kRows, vRows] = [
        matrix(q, heads * headDim),
        matrix(k, kvHeads * headDim),
        matrix(v, kvHeads * headDim),
      ];
      const inputs = [qRows, kRows, vRows, segments.table] as const;
      return [undefined, 2].map((tilesAtOnce) => {
        const outputs = [own.empty(qRows.shape), own.empty([105, heads])] as const;
        forward(inputs, outputs, params, tilesAtOnce);
        const needs = [true, true, true, false] as const;
        const gradients = backward(inputs, outputs, [qRows, undefined], needs, params, tilesAtOnce);
        return [...outputs, ...gradients.filter((one) => one !== undefined)];
      });
    });
    const [together = [], apart = []] = await Promise.all(
      made.map((list) => Promise.all(list.map(async (tensor) => new Uint32Array((await tensor.values()).buffer)))),
    );
    expect(apart).toHaveLength(5);
    expect(apart).toEqual(together);
    for (const tensor of made.flat()) tensor.dispose();
  });

  test("are taken where a driver would end one for its length", () => {
    using planning = planningDevice(typicalCard);
    const dispatches: string[] = [];
    planning.onPlannedDispatch = ({ name }) => dispatches.push(name);
    const count = 8192;
    const [qWidth, kWidth] = [16 * 128, 2 * 128];
    scope(() => {
      const q = planning.empty([count, qWidth]);
      const [k, v] = [planning.empty([count, kWidth]), planning.empty([count, kWidth])];
      const segments = Segments.of(planning, packed([count], true));
      attention(q, k, v, segments, { heads: 16, kvHeads: 2, headDim: 128, scale: 1 });
    });
    // 512 tiles of 16 queries by 8,192 keys, 16 heads of 128 and two products are 1.07 GFLOP each; 93 are within 100.
    expect(dispatches.filter((name) => name.startsWith("attention_forward"))).toHaveLength(6);
  });
});

/** Bits of [out, logSumExp] and the gradients that are needed, of rows that share a prompt, in groups of `perKey` heads. */
async function passOf(
  device: Device,
  headDim: number,
  perKey: number,
  needs: readonly [boolean, boolean, boolean, boolean],
): Promise<Uint32Array[]> {
  const { q, k, v } = randomRows("families", 105 * perKey, 105, headDim);
  const made = scope(() => {
    const segments = Segments.of(device, sharedPrefix(75, [9, 1, 20]));
    const params = { heads: kvHeads * perKey, kvHeads, headDim, scale: headDim ** -0.5, plan: segments.plan };
    const matrix = (data: Float32Array) => device.tensor(data, [105, data.length / 105]);
    const [qRows, kRows, vRows] = [q.slice(0, 105 * params.heads * headDim), k, v].map(matrix);
    if (!qRows || !kRows || !vRows) throw new Error("there are three matrices");
    const inputs = [qRows, kRows, vRows, segments.table] as const;
    const outputs = [device.empty(qRows.shape), device.empty([105, params.heads])] as const;
    forward(inputs, outputs, params);
    const gradients = backward(inputs, outputs, [qRows, undefined], needs, params);
    return [...outputs, ...gradients.filter((one) => one !== undefined)];
  });
  const bits = await Promise.all(made.map(async (tensor) => new Uint32Array((await tensor.values()).buffer)));
  for (const tensor of made) tensor.dispose();
  return bits;
}

// Tiles of 16 rows, of 32, and of 32 of which the last is half empty.
const tiles: [headDim: number, perKey: number][] = [1, 2, 3].map((perKey) => [16, perKey]);
test.each(full ? [...tiles, [64, 4], [80, 1], [128, 7]] : tiles)(
  "both families give equal bits, forward and backward (head dimension %i, %i heads a key head)",
  async (headDim, perKey) => {
    const needs = [true, true, true, false] as const;
    const ofWorkgroup = await passOf(workgroup, headDim, perKey, needs);
    expect(ofWorkgroup).toHaveLength(5);
    expect(ofWorkgroup).toEqual(await passOf(software, headDim, perKey, needs));
  },
);

test.each(families)(
  "gradients that are needed alone have the bits of all, and leave nothing ($name)",
  async ({ device }) => {
    const before = device().memory().liveBytes;
    const [, , dq, dk, dv] = await passOf(device(), 16, 2, [true, true, true, false]);
    for (const [i, right] of [dq, dk, dv].entries()) {
      const [, , alone, ...more] = await passOf(device(), 16, 2, [i === 0, i === 1, i === 2, false]);
      expect(alone).toEqual(right);
      expect(more).toEqual([]);
    }
    expect(device().memory().liveBytes).toBe(before);
  },
);

// The larger head dimensions compile for seconds here: the full check runs them in the conformance suite.
const workgroupCases = attention.cases.filter(
  ({ full: slow, params }) => !slow && (params as AttentionShape).headDim <= 64,
);
test.each(workgroupCases)("workgroup kernels on default limits: $name", async (testCase) => {
  await checkCase(workgroup, attention, testCase);
});

test("segments may go before the backward pass that needs their table", async () => {
  const rows = randomRows("disposed", 20, 20, 16);
  const shape = { heads, kvHeads, headDim: 16, scale: 0.25 };
  const gradient = async (early: boolean): Promise<Float32Array> => {
    const before = software.memory().liveBytes;
    const [q, k, v] = [rows.q, rows.k, rows.v].map((data) => software.tensor(data, [20, data.length / 20]));
    const segments = Segments.of(software, packed([20], true));
    const recorded = record([k!], () => attention(q!, k!, v!, segments, shape));
    if (early) segments.dispose();
    const [dk] = recorded.backward([[recorded.value, recorded.value]]);
    const values = (await dk!.read()) as Float32Array;
    for (const held of [q!, k!, v!, segments, recorded.value, dk!]) held.dispose();
    expect(software.memory().liveBytes).toBe(before);
    return values;
  };
  const expected = await gradient(false);
  expect(expected.some((x) => x !== 0)).toBe(true);
  expect(await gradient(true)).toEqual(expected);
});

describe("refusals", () => {
  const refused = (make: () => unknown): string => {
    try {
      make();
    } catch (error) {
      expect(error).toBeInstanceOf(TensorError);
      return `${(error as TensorError).code}: ${(error as TensorError).message}`;
    }
    throw new Error("nothing was refused");
  };
  const segments = (...list: readonly Partial<Segment>[]) =>
    Segments.of(
      software,
      list.map((s) => ({
        queryStart: 0,
        queryCount: 1,
        prefixStart: 0,
        prefixCount: 0,
        ownStart: 0,
        ownCount: 1,
        causal: true,
        ...s,
      })),
    );

  test("segments with a gap, an overlap or a bad row number", () => {
    expect(refused(() => segments({ queryStart: 1 }))).toMatch(/^argument: .*starts at query row 1/);
    expect(refused(() => segments({ queryCount: 3 }, { queryStart: 2 }))).toMatch(/before ends at 3/);
    expect(refused(() => segments({ ownCount: -1 }))).toMatch(/whole/);
    expect(refused(() => segments({ prefixStart: 0.5 }))).toMatch(/whole/);
    expect(refused(() => segments({ ownStart: 2 ** 40 }))).toMatch(/whole/);
  });

  test("tensors and shapes that do not fit", () => {
    scope(() => {
      const list = segments({ ownCount: 5 });
      const q = software.empty([1, 16]);
      const k = software.empty([5, 8]);
      const shape = { heads: 2, kvHeads: 1, headDim: 8, scale: 1 };
      const call = (change: Partial<typeof shape>, [a, b, c] = [q, k, k]) =>
        refused(() => attention(a!, b!, c!, list, { ...shape, ...change }));
      expect(call({ headDim: 6 })).toMatch(/^argument: .*multiple of 4/);
      expect(call({ headDim: 132 })).toMatch(/^argument/);
      expect(call({ kvHeads: 3 })).toMatch(/^argument: .*share/);
      expect(call({ heads: 4 })).toMatch(/^shape: .*q must be/);
      expect(call({}, [q, software.empty([4, 8]), k])).toMatch(/^shape: .*k must be/);
      expect(call({}, [q, k, software.empty([6, 8])])).toMatch(/^shape: .*differ/);
      expect(call({}, [software.empty([1, 16], "i32"), k, k])).toMatch(/^dtype/);
    });
  });
});
