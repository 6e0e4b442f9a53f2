// Packed data files: as many members as they have, wherever a read ends; what is no member is told.
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readRows } from "../src/loaders/rows.ts";

const members = ["one", "two", "three"].map((id) => gzipSync(`${JSON.stringify({ id })}\n`));
const whole = Buffer.concat(members);
const rows = [{ id: "one" }, { id: "two" }, { id: "three" }];

/** A file that is read `size` bytes at a time. */
function file(bytes: Uint8Array<ArrayBuffer>, size: number) {
  class Slow extends Blob {
    override stream(): ReturnType<Blob["stream"]> {
      let at = 0;
      return new ReadableStream<Uint8Array<ArrayBuffer>>({
        pull(controller) {
          if (at >= bytes.length) controller.close();
          else controller.enqueue(bytes.subarray(at, at + size));
          at += size;
        },
      });
    }
  }
  return { name: "rows.jsonl.gz", open: async () => new Slow([bytes]) };
}

async function read(bytes: Uint8Array<ArrayBuffer>, size = 7): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const row of readRows(file(bytes, size))) found.push("fault" in row ? row.fault : row.value);
  return found;
}

test("all members are read, wherever reads end", async () => {
  const first = members[0]?.length ?? 0;
  for (const size of [1, 2, 9, 10, 11, first - 1, first, first + 1, 2 * first, 1000])
    expect(await read(whole, size), `${size}`).toEqual(rows);
});

test("an empty member and zeros at the end are no rows", async () => {
  expect(await read(Buffer.concat([gzipSync(""), whole, gzipSync(""), Buffer.alloc(600)]))).toEqual(rows);
});

test("what follows the members and is none is told, and where: nothing is left out in silence", async () => {
  await expect(read(Buffer.concat([whole, Buffer.from("a tail")]))).rejects.toThrow(
    "rows.jsonl.gz: cannot be unpacked: no gzip file, or damaged (incorrect header check)",
  );
  await expect(read(Buffer.concat([whole, Buffer.alloc(3), whole]))).rejects.toThrow(
    `what lies behind zeros, from byte ${whole.length + 3} on, is not read`,
  );
  await expect(read(Buffer.from("{}\n"))).rejects.toThrow("incorrect header check");
});

test("a member that is cut or flipped is damaged, whichever it is", async () => {
  let start = 0;
  for (const { length } of members) {
    const flipped = Buffer.from(whole);
    flipped.writeUInt8(flipped.readUInt8(start + length - 6) ^ 1, start + length - 6); // of its CRC
    await expect(read(flipped)).rejects.toThrow("damaged");
    await expect(read(whole.subarray(0, start + length - 3))).rejects.toThrow("damaged (unexpected end of file)");
    start += length;
  }
});

test("a member that unpacks to more than a line may hold ends the file", async () => {
  const bomb = Buffer.concat([whole, gzipSync(Buffer.alloc(2 ** 26 + 2 ** 17, 0x20), { level: 1 })]);
  await expect(read(bomb, 2 ** 16)).rejects.toThrow("line 4 is longer than");
});
