/** Damaged parquet files: an error or rows, and never a hang. */

import { expect, test } from "vitest";
import { parquetRows } from "../src/loaders/parquet.ts";
import { RandomStream } from "../src/random.ts";
import { bytes, struct, text, writeParquet } from "./parquet-writer.ts";

/** Rows of a file with up to four bytes changed or its end cut off, or the fault that reading it ends with. */
async function readDamaged(whole: Uint8Array, round: number, patienceMs: number): Promise<unknown[] | Error> {
  const random = new RandomStream(1, "damage", round);
  const damaged = round % 3 === 0 ? whole.slice(0, random.integer(0, whole.length)) : whole.slice();
  for (let flips = 0; flips < 4; flips += 1) damaged[random.integer(0, damaged.length - 1)] = random.integer(0, 255);
  const rows: unknown[] = [];
  try {
    for await (const row of parquetRows(new Blob([damaged]), patienceMs)) rows.push(row);
    return rows;
  } catch (error) {
    return error as Error;
  }
}

test("damaged parquet files end in an error or in rows, and never hang", async () => {
  const columns = [text("qa_id"), text("question"), text("gt"), struct("image", bytes("bytes"), text("path"))];
  const rows = Array.from({ length: 8 }, (_, index) => ({
    qa_id: `q${index}`,
    question: "?",
    gt: "1",
    image: { bytes: new Uint8Array(4000).fill(7), path: null },
  }));
  const whole = writeParquet(columns, rows);
  for (let round = 0; round < (process.env.IAPO_FULL === "1" ? 120 : 8); round += 1) {
    const outcome = await readDamaged(whole, round, 3000);
    if (Array.isArray(outcome)) expect(outcome.length).toBeLessThanOrEqual(8);
    else expect(outcome).toBeInstanceOf(Error);
  }
}, 240_000);

test("a length that makes the decoder run in circles ends its thread", async () => {
  const looping = writeParquet([text("qa_id")], [{ qa_id: "a" }]);
  // The length of the definition levels in the header of the only page, now longer than the page.
  looping[20] = 143;
  const read = async (): Promise<void> => {
    for await (const _ of parquetRows(new Blob([looping]), 2000));
  };
  await expect(read()).rejects.toThrow(/not decoded within 2000 ms/);
});
