/**
 * CharXiv questions: the source's own JSON (figure number to one reasoning question, or to four descriptive ones), and flat
 * rows. A descriptive question is a number from 1 to 19; its wording here is ours.
 */

import { z } from "zod";
import { type RowParser, readPicture, type TaskRecord } from "../record.ts";

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

const place = { figure_path: z.string().nullish(), image: z.string().nullish(), split: z.string().nullish() };
const figure = z.union([z.number(), z.string()]).transform(String);
const template = z.int().min(1).max(descriptiveQuestions.length);
const location = z.union([z.tuple([z.number(), z.number()]), z.string()]).nullish();

const reasoningSchema = z.object({
  ...place,
  id: z.string().nullish(),
  figure_id: figure,
  query: z.string().nullish(),
  question: z.string().nullish(),
  answer: z.string(),
});
const descriptiveSchema = z.object({
  ...place,
  figure_id: figure,
  subplot_loc: location,
  qids: z.array(template),
  answers: z.array(z.string()),
});
const flatDescriptiveSchema = z.object({
  ...place,
  id: z.string(),
  figure_id: figure,
  subplot_loc: location,
  template_id: template,
  answer: z.string(),
});

export const parseCharxivRow: RowParser = (value) => {
  const several = descriptiveSchema.safeParse(value).data;
  if (several !== undefined) {
    const { qids, answers, figure_id } = several;
    if (qids.length !== answers.length) throw new Error(`${qids.length} questions, but ${answers.length} answers`);
    return qids.map((id, index) =>
      record(
        `${figure_id}/descriptive/${index + 1}`,
        describe(id, several.subplot_loc),
        answers[index] ?? "",
        "descriptive",
        several,
      ),
    );
  }
  const flat = flatDescriptiveSchema.safeParse(value).data;
  if (flat !== undefined)
    return [record(flat.id, describe(flat.template_id, flat.subplot_loc), flat.answer, "descriptive", flat)];
  const row = reasoningSchema.parse(value);
  return [
    record(row.id ?? `${row.figure_id}/reasoning`, row.query ?? row.question ?? "", row.answer, "reasoning", row),
  ];
};

function describe(id: number, subplot: z.infer<typeof location>): string {
  const question = `${descriptiveQuestions[id - 1] ?? ""}${OR_NOTHING}`;
  if (typeof subplot === "string") return `For ${subplot}: ${question}`;
  const [row = 0, column = 0] = subplot ?? [];
  return row === 0 ? question : `For the subplot at row ${row} and column ${column}: ${question}`;
}

type Placed = { figure_id: string; image?: string | null | undefined; split?: string | null | undefined };

/** Images of the archive are named by figure number; `figure_path` is the file's name in the paper's sources. */
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
