// Rows as people have them that are none, or not what they seem: each is read as it is meant, or left out with a reason; nothing is guessed.
import { encodePng } from "@iapo/visual-tools/sharp";
import { expect, test } from "vitest";
import { type DataFormat, loadTasks } from "../src/loaders/index.ts";

const png = Buffer.from(await encodePng({ width: 28, height: 28, channels: 3, data: new Uint8Array(28 * 28 * 3) }));
const image = `data:image/png;base64,${png.toString("base64")}`;
const row = (more: object = {}): string => JSON.stringify({ id: "a", image, question: "q?", answers: ["x"], ...more });
const box = (more: object = {}): object => ({
  orientation: "columns",
  columns: [{ name: "A", x1: 1, y1: 1, x2: 9, y2: 9, ...more }],
});

/** Ids of what was read, and reasons of what was left out or of the whole file. */
async function read(
  name: string,
  data: string,
  format: DataFormat = "tasks",
): Promise<{ ids: string[]; told: string[] }> {
  const files = [{ name, open: async () => new Blob([data]) }];
  const stream = loadTasks({ format, files, images: ".", tables: ".", onBadRow: "skip" });
  const ids: string[] = [];
  try {
    for await (const { id } of stream) ids.push(id);
  } catch (error) {
    return { ids, told: [(error as Error).message] };
  }
  return { ids, told: stream.report.badRows.map(({ row, reason }) => `${row}: ${reason}`) };
}

test.each<[what: string, data: string, ids: string[], told: RegExp[]]>([
  ["files put together, each with a byte order mark", `\ufeff${row()}\n\ufeff${row({ id: "b" })}\n`, ["a", "b"], []],
  ["lines that end as on old systems", `${row()}\r${row({ id: "b" })}\r\n`, ["a", "b"], []],
  ["a line separator within a question", `${row({ question: "a\u2028b" })}\n`, ["a"], []],
  ["a question of no width", row({ question: " \u200b\u2060\ufe0f" }), [], [/^1: .*the question is empty/]],
  ["an answer of no width", row({ answers: ["x", "\u00ad\u200e"] }), [], [/^1: .*an answer is empty/]],
  ["an id of blanks", row({ id: " \u200b" }), [], [/^1: .*the id is empty/]],
  ["a joiner within an emoji", row({ question: "👩‍🔬?", answers: ["👩‍🔬"] }), ["a"], []],
  ["padding behind the last line", `${row()}\n${"\0".repeat(512)}`, ["a"], [/^2: not UTF-8/]],
  ["two rows on a line", row() + row({ id: "b" }), [], [/^1: not JSON/]],
  ["rows that end in commas", `${row()},\n`, [], [/^1: not JSON/]],
  [
    "an id in two forms of a number",
    `${row({ id: 1.5 })}\n${row({ id: "1.5" })}`,
    ["1.5"],
    [/^2: the id "1.5" was given in/],
  ],
  ["a number that is none", '{"id":"a","answers":[NaN]}', [], [/^1: not JSON/]],
  ["numbers that JSON rounds", '{"id":9007199254740993}', [], [/^1: id: expected a whole number beyond 2\^53 as text/]],
  ["a box whose corners are swapped", row(box({ x1: 9, x2: 1 })), [], [/^1: .*has no area/]],
  ["a box of another picture", row(box({ x1: 100, x2: 120 })), [], [/^1: .*lies outside of the 28 x 28 image/]],
  ["numbers of a box as text", row(box({ x1: "1" })), [], [/^1: columns\[0\]\.x1: .*expected number/]],
  ["a picture on the web", row({ image: "http://127.0.0.1:1/a.png" }), [], [/^1: .*not found/]],
  ["a picture's path of another system", row({ image: "C:\\a.png" }), [], [/^1: .*is not opened/]],
  ["a picture as text", row({ image: "data:text/plain,hello" }), [], [/^1: image: a data URL without base64/]],
  ["a picture that is a drawing", row({ image: "data:image/svg+xml;base64,PHN2Zy8+" }), [], [/^1: .*it is no PNG/]],
  ["several pictures", row({ image: [image, image] }), [], [/^1: image: expected a path or a data URL/]],
])("%s", async (_, data, ids, told) => {
  const found = await read("rows.jsonl", data);
  expect(found.ids).toEqual(ids);
  expect(found.told).toEqual(told.map((pattern) => expect.stringMatching(pattern)));
});

test("a table of rows with two columns of one name is refused: which of them is meant is not known", async () => {
  const { told } = await read(
    "x.tsv",
    "id\tid\tutterance\tcontext\ttargetValue\nx\ty\tq\tt.csv\ta\n",
    "wikitablequestions",
  );
  expect(told).toEqual(['x.tsv: the header has two columns "id"; give one another name']);
});

test("a packed file without its ending, and a document in place of rows, are told", async () => {
  expect((await read("rows.json", "\u001f\ufffd\u0008")).told).toEqual([
    expect.stringMatching(/^rows\.json: not JSON/),
  ]);
  expect((await read("rows.json", `{"rows":[${row()}]}`)).told).toEqual([expect.stringMatching(/^1: id: expected/)]);
});
