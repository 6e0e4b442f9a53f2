// Frames come back as they were; bytes that are none are refused, whatever they claim.
import { arrayOf, FleetError, packFrame, unpackFrame } from "@iapo/fleet";
import fc from "fast-check";
import { expect, test } from "vitest";

const numbers = fc.oneof(
  fc.float32Array({ maxLength: 9 }),
  fc.float64Array({ maxLength: 9 }),
  fc.int32Array({ maxLength: 9 }),
  fc.uint8Array({ maxLength: 9 }),
);
const frames = fc.tuple(
  fc.jsonValue(),
  fc.uniqueArray(fc.tuple(fc.string({ maxLength: 9 }), numbers), { selector: ([name]) => name }),
);
const runs = process.env.IAPO_FULL === "1" ? 10_000 : 1000;

test("a frame comes back, to the last bit, and the same frame is the same bytes", () => {
  fc.assert(
    fc.property(frames, fc.boolean(), ([header, arrays], isBuffer) => {
      const bytes = packFrame(header, arrays as never);
      const back = unpackFrame(isBuffer ? Buffer.from(bytes) : bytes); // a server's client gives Buffers
      expect(back.header).toEqual(JSON.parse(JSON.stringify(header)));
      expect([...back.arrays.keys()]).toEqual(arrays.map(([name]) => name));
      for (const [name, values] of arrays) {
        const own = back.arrays.get(name);
        expect(own?.constructor).toBe(values.constructor);
        expect(Buffer.from(own?.buffer ?? new ArrayBuffer(0))).toEqual(
          Buffer.from(values.buffer, values.byteOffset, values.byteLength),
        );
      }
      expect(packFrame(back.header, back.arrays)).toEqual(
        packFrame(JSON.parse(JSON.stringify(header)), arrays as never),
      );
    }),
    { numRuns: 200 },
  );
});

test("bytes of a stranger are a frame or FleetError invalid, never anything else", () => {
  const broken = frames.chain(([header, arrays]) => {
    const bytes = packFrame(header, arrays as never);
    return fc
      .array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 4 })
      .chain((changes) => fc.tuple(fc.constant(changes), fc.nat(bytes.length + 8)))
      .map(([changes, length]) => {
        const made = new Uint8Array(length);
        made.set(bytes.subarray(0, length));
        for (const [place, value] of changes) if (place < length) made[place] = value;
        return made;
      });
  });
  fc.assert(
    fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      try {
        unpackFrame(bytes);
      } catch (error) {
        if (!(error instanceof FleetError) || error.code !== "invalid") throw error;
      }
    }),
    { numRuns: runs },
  );
});

test("an array of another name, type or length is none", () => {
  const frame = unpackFrame(packFrame({}, [["x", Float32Array.of(1, 2)]]));
  expect([...arrayOf(frame, "x", "f32", 2)]).toEqual([1, 2]);
  for (const wrong of [
    () => arrayOf(frame, "y", "f32"),
    () => arrayOf(frame, "x", "f64"),
    () => arrayOf(frame, "x", "f32", 3),
  ])
    expect(wrong).toThrow(FleetError);
});
