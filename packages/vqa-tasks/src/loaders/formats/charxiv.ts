// CharXiv questions: the source's own JSON (figure number to one reasoning question, or to four descriptive ones), and flat
// rows. A descriptive question is a number from 1 to 19; its wording here is ours.
import { z } from "zod";
import { numberSchema, type RowParser, readPicture, type TaskRecord, textSchema } from "../record.ts";

const ADVICE = "this data set carries no images; get CharXiv's image archive and give its folder as `images`";
const OR_NOTHING = ' If the plot shows none, answer "Not Applicable".';

const descriptiveQuestions: readonly string[] = [
  "What is the title of the plot?",
  "What is the label of the x-axis?",
  "What is the label of the y-axis?",
  "Which tick label stands leftmost on the x-axis?",
  "Which tick label stands rightmost on the x-axis?",
  "Which tick label stands lowest on the y-axis?",
  "Which tick label stands highest on the y-axis?",
  "By how much do neighboring numbers on the x-axis differ?",
  "By how much do neighboring numbers on the y-axis differ?",
  "How many lines does the plot have?",
  "Do any of the lines cross?",
  "How many labels does the discrete legend have?",
  "Which labels does the legend have, from top to bottom, then from left to right?",
  "What is the difference between the largest and the smallest number of the continuous legend?",
  "What is the largest number of the continuous legend?",
  "How does the data run from left to right, in general?",
  "How many ticks with a written label do all axes have together?",
  "How are the subplots laid out? Answer as rows by columns.",
  "How many subplots are there?",
];

const place = {
  figure_path: textSchema.nullish(),
  image: z.unknown().optional(),
  split: textSchema.nullish(),
  subplot_loc: z.union([z.tuple([numberSchema, numberSchema]), z.array(numberSchema).length(0), textSchema]).nullish(),
};
const template = numberSchema.pipe(z.int().min(1).max(descriptiveQuestions.length));

const reasoningSchema = z.object({
  ...place,
  id: textSchema.nullish(),
  figure_id: textSchema,
  query: textSchema.nullish(),
  question: textSchema.nullish(),
  answer: textSchema,
});
const descriptiveSchema = z.object({
  ...place,
  figure_id: textSchema,
  qids: z.array(template),
  answers: z.array(textSchema),
});
const flatDescriptiveSchema = z.object({
  ...place,
  id: textSchema,
  figure_id: textSchema,
  template_id: template,
  answer: textSchema,
});
/** A figure on the hub: one reasoning question, and descriptive ones in columns with numbers. */
const hubSchema = z.looseObject({
  ...place,
  figure_id: textSchema.nullish(),
  reasoning_q: textSchema,
  reasoning_a: textSchema,
});
const numberedSchema = z.object({ q: template, a: textSchema });

export const parseCharxivRow: RowParser = (value, { row: number }) => {
  const kind = z
    .object({ reasoning_q: z.unknown(), qids: z.unknown(), template_id: z.unknown() })
    .partial()
    .parse(value);
  if (kind.reasoning_q !== undefined) return hubFigure(value, number);
  if (kind.qids !== undefined) {
    const several = descriptiveSchema.parse(value);
    const { qids, answers, figure_id } = several;
    if (qids.length !== answers.length) throw new Error(`${qids.length} questions, but ${answers.length} answers`);
    return qids.map((id, index) => {
      const question = describe(id, several.subplot_loc);
      return record(`${figure_id}/descriptive/${index + 1}`, question, answers[index] ?? "", "descriptive", several);
    });
  }
  if (kind.template_id !== undefined) {
    const flat = flatDescriptiveSchema.parse(value);
    return [record(flat.id, describe(flat.template_id, flat.subplot_loc), flat.answer, "descriptive", flat)];
  }
  const row = reasoningSchema.parse(value);
  return [
    record(row.id ?? `${row.figure_id}/reasoning`, row.query ?? row.question ?? "", row.answer, "reasoning", row),
  ];
};

function hubFigure(value: unknown, number: number): TaskRecord[] {
  const row = hubSchema.parse(value);
  const figure_id = row.figure_id ?? /([^/\\]+)\.\w+$/.exec(row.figure_path ?? "")?.[1] ?? String(number);
  const placed = { ...row, figure_id };
  const tasks = [record(`${figure_id}/reasoning`, row.reasoning_q, row.reasoning_a, "reasoning", placed)];
  for (let index = 1; index <= 4; index += 1) {
    const [q, a] = [row[`descriptive_q${index}`], row[`descriptive_a${index}`]];
    if (q === undefined || q === null || a === undefined || a === null) continue;
    const { q: id, a: answer } = numberedSchema.parse({ q, a });
    tasks.push(
      record(`${figure_id}/descriptive/${index}`, describe(id, row.subplot_loc), answer, "descriptive", placed),
    );
  }
  return tasks;
}

type Subplot = readonly number[] | string | null | undefined;

function describe(id: number, subplot: Subplot): string {
  const question = `${descriptiveQuestions[id - 1] ?? ""}${OR_NOTHING}`;
  if (typeof subplot === "string") return `For ${subplot}: ${question}`;
  const [row = 0, column = 0] = subplot ?? [];
  return row === 0 ? question : `For the subplot at row ${row} and column ${column}: ${question}`;
}

interface Placed {
  readonly figure_id: string;
  readonly image?: unknown;
  readonly figure_path?: string | null | undefined;
  readonly split?: string | null | undefined;
}

/** Images of the archive are named by figure number; `figure_path` of the repository is the file's name in the paper's sources. */
function record(id: string, question: string, answer: string, kind: string, row: Placed): TaskRecord {
  return {
    id,
    question,
    answers: [answer],
    columns: [],
    rows: [],
    frame: "pixel",
    source: `charxiv_${kind}`,
    split: row.split ?? "validation",
    picture: readPicture(row.image ?? `${row.figure_id}.jpg`, ADVICE),
  };
}
