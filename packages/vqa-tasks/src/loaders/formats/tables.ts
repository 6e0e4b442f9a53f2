/**
 * Questions about tables: WikiTableQuestions, TabFact and TableVQA-Bench. Where a row brings no image, its source table
 * is rendered anew, and the source says so: `wikitablequestions-rendered`, `tabfact-rendered`, `vwtq-rendered`, ...
 */

import { z } from "zod";
import type { TableDialect } from "../csv.ts";
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
  return { kind: "table", path, dialects: path.startsWith("tables/") ? ["rfc4180"] : [own] };
}

const wikiTsvSchema = z.object({ id: z.string(), utterance: z.string(), context: z.string(), targetValue: z.string() });
const wikiJsonSchema = z.object({
  id: z.string(),
  table: z.string(),
  question: z.string(),
  answers: z.array(z.string()),
  split: z.string(),
  /** Parts of TableVQA-Bench that use this very question. */
  tablevqabench: z.array(z.string()).optional(),
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
  const picture = tablePicture(table, "wikitablequestions");
  return [{ id, question, answers, ...noBoxes, source: subset ? `${subset}-rendered` : source, split, picture }];
};

function unescapeTsv(cell: string): string {
  const meanings: Record<string, string> = { n: "\n", p: "|", "\\": "\\" };
  return cell.replace(/\\([np\\])/g, (_, letter: string) => meanings[letter] ?? "");
}

const tabFactJsonSchema = z.object({
  id: z.string(),
  table: z.string(),
  statement: z.string(),
  label: z.union([z.literal(0), z.literal(1)]),
  split: z.string(),
  /** Number in TableVQA-Bench, where it uses this very statement. */
  vtabfact_id: z.string().nullish(),
});
/** The source's own files: table name to [statements, labels, ...]. */
const tabFactSourceSchema = z.object({
  key: z.string(),
  entry: z.tuple([z.array(z.string()), z.array(z.union([z.literal(0), z.literal(1)]))]).rest(z.unknown()),
});

export const parseTabFactRow: RowParser = (value) => {
  const statement = (id: string, text: string, label: 0 | 1, table: string, split: string): TaskRecord => ({
    id,
    question: `True or false: ${text}`,
    answers: [label === 1 ? "true" : "false"],
    ...noBoxes,
    source: "tabfact-rendered",
    split,
    picture: tablePicture(table, "tabfact"),
  });
  const source = tabFactSourceSchema.safeParse(value).data;
  if (source === undefined) {
    const row = tabFactJsonSchema.parse(value);
    const task = statement(row.id, row.statement, row.label, row.table, row.split);
    return [row.vtabfact_id ? { ...task, source: "vtabfact-rendered" } : task];
  }
  const [statements, labels] = source.entry;
  if (statements.length !== labels.length)
    throw new Error(`${statements.length} statements, but ${labels.length} labels`);
  return statements.map((text, index) => statement(`${source.key}#${index}`, text, labels[index] ?? 0, source.key, ""));
};

const benchSchema = z.object({
  qa_id: textSchema,
  subset: textSchema.nullish(),
  question: textSchema,
  gt: answersSchema.nullish(),
  answer: answersSchema.nullish(),
  image: z.unknown().optional(),
  source_table: textSchema.nullish(),
});

const BENCH_ADVICE =
  "this row has neither an image nor a source table; get the images from the TableVQA-Bench data set and give their folder as `images`";

export const parseTableVqaBenchRow: RowParser = (value) => {
  const row = benchSchema.parse(value);
  const answers = row.gt ?? row.answer;
  if (!answers) throw new Error("neither gt nor answer is given");
  const subset = row.subset ?? "tablevqabench";
  const image = readPicture(row.image, BENCH_ADVICE);
  const rendered = image.kind === "missing" && row.source_table;
  const own = subset === "vtabfact" ? "tabfact" : "wikitablequestions";
  const picture: PictureSource = rendered ? { kind: "table", path: rendered, dialects: [own] } : image;
  const question = subset === "vtabfact" ? `True or false: ${row.question}` : row.question;
  const source = rendered ? `${subset}-rendered` : subset;
  return [{ id: row.qa_id, question, answers, ...noBoxes, source, split: "test", picture }];
};
