/** Writes parquet files with nested columns, by a writer that shares no code with the loaders. */

import { parquetWriteBuffer } from "hyparquet-writer";

type Element = NonNullable<Parameters<typeof parquetWriteBuffer>[0]["schema"]>[number];

export const text = (name: string): Element[] => [
  { name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
];
export const bytes = (name: string): Element[] => [{ name, type: "BYTE_ARRAY", repetition_type: "OPTIONAL" }];
export const integer = (name: string): Element[] => [{ name, type: "INT64", repetition_type: "OPTIONAL" }];
export const double = (name: string): Element[] => [{ name, type: "DOUBLE", repetition_type: "OPTIONAL" }];
export const struct = (name: string, ...fields: Element[][]): Element[] => [
  { name, num_children: fields.length, repetition_type: "OPTIONAL" },
  ...fields.flat(),
];
export const list = (name: string, element: (name: string) => Element[]): Element[] => [
  { name, num_children: 1, converted_type: "LIST", repetition_type: "OPTIONAL" },
  { name: "list", num_children: 1, repetition_type: "REPEATED" },
  ...element("element"),
];

export function writeParquet(columns: readonly Element[][], rows: readonly Record<string, unknown>[]): Uint8Array {
  const names = columns.map((column) => column[0]?.name ?? "");
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: names.map((name) => ({ name, data: rows.map((row) => row[name]) })),
      schema: [{ name: "root", num_children: columns.length }, ...columns.flat()],
      rowGroupSize: 3,
    }),
  );
}
