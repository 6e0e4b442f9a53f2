// The sets that an evaluation knows by name: nano-charts, and the six test sets of the paper (docs/method.md E.3).
import type { DataFormat } from "../loaders/formats.ts";
import type { TaskRecord } from "../loaders/record.ts";
import type { VisualTask } from "../task.ts";

/** In the order of the paper's Table 1. */
export const testSetNames = ["charxiv", "h_bar", "v_bar", "vwtq", "vwtq_syn", "vtabfact"] as const;
export type TestSetName = (typeof testSetNames)[number];

export const setNames = ["nano", ...testSetNames] as const;
export type SetName = (typeof setNames)[number];

export interface TestSet {
  readonly title: string;
  /** Questions of the published set. */
  readonly published: number;
  /** Folders of the data directory that may hold it, with their format; the first that is there counts. */
  readonly places: readonly { readonly folder: string; readonly format: DataFormat }[];
  holds(row: Pick<VisualTask | TaskRecord, "source" | "split">): boolean;
  /** How to get the set. */
  readonly advice: string;
}

const REFOCUS = "ReFocus's test rows (test.jsonl) and, beside them, the folder `ChartQA Dataset` of vis-nlp/ChartQA";
const bench = (subset: string): string =>
  `TableVQA-Bench's rows (parquet with images, or JSON Lines with the source tables beside them; subset ${subset})`;

export const testSets: Readonly<Record<TestSetName, TestSet>> = {
  charxiv: {
    title: "CharXiv",
    published: 143,
    places: [{ folder: "charxiv", format: "charxiv" }],
    holds: ({ source }) => source === "charxiv_reasoning",
    advice:
      "put CharXiv's validation questions and its image archive there (the paper takes 143 of them and does not say which)",
  },
  h_bar: {
    title: "Horizontal",
    published: 444,
    places: chartPlaces(),
    holds: barChart("h_bar"),
    advice: `put ${REFOCUS} there`,
  },
  v_bar: {
    title: "Vertical",
    published: 382,
    places: chartPlaces(),
    holds: barChart("v_bar"),
    advice: `put ${REFOCUS} there`,
  },
  vwtq: tableSet("VWTQ", "vwtq", 750, { folder: "wtq", format: "wikitablequestions" }),
  vwtq_syn: tableSet("VWTQ_syn", "vwtq_syn", 250, { folder: "wtq", format: "wikitablequestions" }),
  vtabfact: tableSet("VTabFact", "vtabfact", 250, { folder: "tabfact", format: "tabfact" }),
};

function chartPlaces(): TestSet["places"] {
  return [
    { folder: "refocus", format: "refocus" },
    { folder: "chartqa", format: "refocus" },
  ];
}

/** Rows that state another split than `test` belong to training or validation. */
function barChart(kind: string): TestSet["holds"] {
  return ({ source, split }) => source.endsWith(kind) && (split === "test" || split === "");
}

function tableSet(title: string, subset: string, published: number, other: TestSet["places"][number]): TestSet {
  return {
    title,
    published,
    places: [{ folder: "tablevqabench", format: "tablevqabench" }, other],
    holds: ({ source }) => source === subset || source === `${subset}-rendered`,
    advice: `put ${bench(subset)} there`,
  };
}
