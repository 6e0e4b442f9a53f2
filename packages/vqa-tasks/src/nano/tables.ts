// The packaged real tables (data/tables, CC BY-SA) and their split. Splitting is by table *and* by name: a name that
// occurs in tables of several splits belongs to the most held-out of them and is dropped from the others, so no name of
// a validation or test chart was ever seen in training.
import { readFileSync } from "node:fs";
import { z } from "zod";
import { hashText } from "../random.ts";

export type NanoSplit = "train" | "validation" | "test";

export const nanoSplits: readonly NanoSplit[] = ["train", "validation", "test"];

const sourceTableSchema = z.strictObject({
  id: z.string().min(1),
  source: z.enum(["wikitablequestions", "tabfact"]),
  /** Address of the page the table was taken from, where the source tells it. */
  page: z.string().optional(),
  /** One list for each column of short names. */
  names: z.array(z.array(z.string().min(1)).min(3)),
  columns: z.array(z.strictObject({ name: z.string(), values: z.array(z.number().min(0)).min(3) })),
});

export type SourceTable = z.infer<typeof sourceTableSchema>;

/** All packaged tables, in file order. */
export function readSourceTables(): SourceTable[] {
  const file = new URL("../../data/tables/tables.json", import.meta.url);
  return z.array(sourceTableSchema).parse(JSON.parse(readFileSync(file, "utf8")));
}

/** Names and numeric columns of one split; the lists of the tables that are left after removing names of other splits. */
export interface NanoTables {
  readonly nameLists: readonly (readonly string[])[];
  readonly columns: readonly { readonly table: string; readonly name: string; readonly values: readonly number[] }[];
}

export function splitTables(
  tables: readonly SourceTable[],
  accept: (name: string) => boolean,
): Record<NanoSplit, NanoTables> {
  const owner = new Map<string, NanoSplit>();
  for (const table of tables) {
    const split = splitOf(table.id);
    for (const name of table.names.flat()) {
      const key = name.toLowerCase();
      const before = owner.get(key);
      if (before === undefined || nanoSplits.indexOf(split) > nanoSplits.indexOf(before)) owner.set(key, split);
    }
  }
  const ofSplit = (split: NanoSplit): NanoTables => {
    const own = tables.filter((table) => splitOf(table.id) === split);
    return {
      nameLists: own
        .flatMap((table) => table.names)
        .map((list) => list.filter((name) => owner.get(name.toLowerCase()) === split && accept(name)))
        .filter((list) => list.length > 0),
      columns: own.flatMap((table) => table.columns.map((column) => ({ table: table.id, ...column }))),
    };
  };
  return { train: ofSplit("train"), validation: ofSplit("validation"), test: ofSplit("test") };
}

/** 70 % train, 15 % validation, 15 % test, by a hash of the table's id or of a name. */
export function splitOf(key: string): NanoSplit {
  const share = hashText(`split:${key.toLowerCase()}`) % 100;
  if (share < 70) return "train";
  return share < 85 ? "validation" : "test";
}
