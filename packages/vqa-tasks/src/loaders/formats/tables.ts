// Questions about tables: WikiTableQuestions, TabFact and TableVQA-Bench. Where a row brings no image, its source table
// is rendered, and the source says so: `wikitablequestions-rendered`, `tabfact-rendered`, `vwtq-rendered`, ...
import { z } from "zod";
import { parseDelimited, type TableDialect } from "../csv.ts";
import {
  answersSchema,
  type PictureSource,
  type RowParser,
  readPicture,
  type TaskRecord,
  textSchema,
} from "../record.ts";

type Rest = Pick<TaskRecord, "columns" | "rows" | "frame">;
const noBoxes: Rest = { columns: [], rows: [], frame: "pixel" };

/** Paths of re-written tables end differently from the source's own, whose quoting is special. */
function tablePicture(path: string, own: TableDialect): PictureSource {
  return { kind: "table", path, dialect: path.startsWith("tables/") ? "rfc4180" : own };
}

/** Larger ones cannot be drawn. */
const MOST_COLUMNS = 1024;
const MOST_ROWS = 4096;

const wikiTsvSchema = z.object({ id: textSchema, utterance: textSchema, context: textSchema, targetValue: textSchema });
/** On the hub the table stands in its row. */
const cellsSchema = z.object({
  name: textSchema,
  header: z.array(textSchema).max(MOST_COLUMNS),
  rows: z.array(z.array(textSchema).max(MOST_COLUMNS)).max(MOST_ROWS),
});
const wikiJsonSchema = z.object({
  id: textSchema,
  table: z.union([textSchema, cellsSchema], { error: "expected the path of a table, or { name, header, rows }" }),
  question: textSchema,
  answers: z.array(textSchema).min(1),
  split: textSchema.default(""),
  /** Parts of TableVQA-Bench that use this very question. */
  tablevqabench: z.array(textSchema).nullish(),
});

export const parseWikiTableQuestionsRow: RowParser = (value) => {
  const source = "wikitablequestions-rendered";
  const tsv = wikiTsvSchema.safeParse(value).data;
  if (tsv !== undefined) {
    const answers = tsv.targetValue.split("|").map(unescapeTsv);
    const picture = tablePicture(tsv.context, "wikitablequestions");
    return [{ id: tsv.id, question: unescapeTsv(tsv.utterance), answers, ...noBoxes, source, split: "", picture }];
  }
  const { id, table, question, answers, split, tablevqabench } = wikiJsonSchema.parse(value);
  const subset = tablevqabench?.[0];
  const picture: PictureSource =
    typeof table === "string"
      ? tablePicture(table, "wikitablequestions")
      : { kind: "cells", name: table.name, cells: [table.header, ...table.rows] };
  return [{ id, question, answers, ...noBoxes, source: subset ? `${subset}-rendered` : source, split, picture }];
};

function unescapeTsv(cell: string): string {
  const meanings: Record<string, string> = { n: "\n", p: "|", "\\": "\\" };
  return cell.replace(/\\([np\\])/g, (_, letter: string) => meanings[letter] ?? "");
}

/** 1 or 0, or what TableVQA-Bench's readers make of them. */
const labelSchema = z
  .union(
    [
      z.union([z.number(), z.bigint()]).transform((label) => String(label)),
      z.boolean().transform((label) => (label ? "1" : "0")),
      textSchema.transform((label) => label.trim().toLowerCase()),
    ],
    { error: "expected 1 or 0" },
  )
  .transform((label, context): boolean => {
    if (label === "1" || label === "true") return true;
    if (label !== "0" && label !== "false") context.addIssue({ code: "custom", message: "expected 1 or 0" });
    return false;
  });

const tabFactJsonSchema = z.object({
  id: textSchema,
  table: textSchema,
  statement: textSchema,
  label: labelSchema,
  split: textSchema.default(""),
  /** Number in TableVQA-Bench, where it uses this very statement. */
  vtabfact_id: textSchema.nullish(),
});
/** On the hub the table stands in its row, as its file holds it. */
const tabFactHubSchema = z.object({
  id: textSchema,
  table_id: textSchema,
  table_text: textSchema,
  statement: textSchema,
  label: labelSchema,
});
/** The source's own files: table name to [statements, labels, ...]. */
const tabFactSourceSchema = z.object({
  key: textSchema,
  entry: z.tuple([z.array(textSchema), z.array(labelSchema)]).rest(z.unknown()),
});

export const parseTabFactRow: RowParser = (value) => {
  const statement = (
    id: string,
    text: string,
    label: boolean,
    table: string | PictureSource,
    split: string,
  ): TaskRecord => ({
    id,
    question: `True or false: ${text}`,
    answers: [String(label)],
    ...noBoxes,
    source: "tabfact-rendered",
    split,
    picture: typeof table === "string" ? tablePicture(table, "tabfact") : table,
  });
  const { table_text: inRow } = z.object({ table_text: z.unknown() }).partial().parse(value);
  if (inRow !== undefined) {
    const row = tabFactHubSchema.parse(value);
    const cells = parseDelimited(row.table_text, "tabfact");
    return [statement(row.id, row.statement, row.label, { kind: "cells", name: row.table_id, cells }, "")];
  }
  const source = tabFactSourceSchema.safeParse(value).data;
  if (source === undefined) {
    const row = tabFactJsonSchema.parse(value);
    const task = statement(row.id, row.statement, row.label, row.table, row.split);
    return [row.vtabfact_id ? { ...task, source: "vtabfact-rendered" } : task];
  }
  const [statements, labels] = source.entry;
  if (statements.length !== labels.length)
    throw new Error(`${statements.length} statements, but ${labels.length} labels`);
  return statements.map((text, index) =>
    statement(`${source.key}#${index}`, text, labels[index] ?? false, source.key, ""),
  );
};

const benchSchema = z.object({
  qa_id: textSchema,
  subset: textSchema.nullish(),
  split: textSchema.nullish(),
  question: textSchema,
  gt: z.unknown().optional(),
  answer: z.unknown().optional(),
  image: z.unknown().optional(),
  source_table: textSchema.nullish(),
});

const BENCH_ADVICE =
  "this row has neither an image nor a source table; get the images from the TableVQA-Bench data set and give their folder as `images`";

const benchSubset = /vwtq_syn|vwtq|vtabfact|fintabnetqa/;

/** The subset stands in a column, in the name of the split or file, as its authors publish it, or shows in the number of the question. */
export const parseTableVqaBenchRow: RowParser = (value, { file }) => {
  const row = benchSchema.parse(value);
  const places = [row.subset, row.split, file.slice(file.lastIndexOf("/") + 1), file];
  const named = places.map((text) => benchSubset.exec(text ?? "")?.[0]).find((name) => name !== undefined);
  const subset = named ?? subsetOfId(row.qa_id);
  const own = subset === "vtabfact" ? "tabfact" : "wikitablequestions";
  const image = readPicture(row.image, BENCH_ADVICE);
  const rendered = image.kind === "missing" && row.source_table;
  const picture: PictureSource = rendered ? tablePicture(rendered, own) : image;
  const question = subset === "vtabfact" ? `True or false: ${row.question}` : row.question;
  const source = rendered ? `${subset}-rendered` : subset;
  const answers = benchAnswers(subset, row.gt ?? row.answer);
  return [{ id: row.qa_id, question, answers, ...noBoxes, source, split: "test", picture }];
};

/** WikiTableQuestions number their test questions nu-1, ..., TabFact its statements by table. */
function subsetOfId(id: string): string {
  if (/\.html\.csv_\d+$/.test(id)) return "vtabfact";
  return /^nu-\d+$/.test(id) ? "vwtq" : "tablevqabench";
}

/** A statement's truth is 1 or 0; an answer about a table is a cell of WikiTableQuestions' TSV. */
function benchAnswers(subset: string, gt: unknown): string[] {
  if (gt === undefined || gt === null) throw new Error("neither gt nor answer is given");
  if (subset === "vtabfact") return [String(z.object({ gt: labelSchema }).parse({ gt }).gt)];
  const { gt: answers } = z.object({ gt: answersSchema }).parse({ gt });
  const isCell = subset.startsWith("vwtq") && answers.length === 1;
  return isCell ? answers.flatMap((cell) => cell.split("|").map(unescapeTsv)) : answers;
}
