// Delimited text to rows of cells. Three dialects are in use: RFC 4180 (quotes doubled), WikiTableQuestions (quotes and
// backslashes escaped by a backslash) and TabFact (`#` between cells, no quotes). One pass over hostile text.
import { VqaTasksError } from "../error.ts";

export type TableDialect = "rfc4180" | "wikitablequestions" | "tabfact";

/**
 * Lines end in \n, \r\n or \r.
 * @throws VqaTasksError `bad_row` where a quote is never closed, or where other marks than commas part the cells
 */
export function parseDelimited(text: string, dialect: TableDialect): string[][] {
  if (dialect === "tabfact") {
    return text
      .split(/\r\n?|\n/)
      .filter((line) => line !== "")
      .map((line) => line.split("#"));
  }
  const escapes = dialect === "wikitablequestions";
  const rows: string[][] = [];
  let row: string[] = [];
  let cell = "";
  let quoted = false;
  const endRow = (): void => {
    row.push(cell);
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
    cell = "";
  };
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (escapes && character === "\\" && index + 1 < text.length) {
      index += 1;
      cell += text.charAt(index);
    } else if (quoted) {
      if (character !== '"') cell += character;
      else if (text.charAt(index + 1) === '"' && !escapes) {
        cell += '"';
        index += 1;
      } else quoted = false;
    } else if (character === '"' && cell === "") quoted = true;
    else if (character === ",") {
      row.push(cell);
      cell = "";
    } else if (character === "\n") endRow();
    else if (character !== "\r") cell += character;
    else if (text.charAt(index + 1) !== "\n") endRow();
  }
  if (quoted) throw new VqaTasksError("bad_row", `row ${rows.length + 1}: a quote is opened and never closed`);
  if (cell !== "" || row.length > 0) endRow();
  const mark = /[;\t]/.exec(rows[0]?.[0] ?? "")?.[0];
  if (mark !== undefined && rows.every(({ length }) => length === 1))
    throw new VqaTasksError("bad_row", `cells are parted by commas, here by ${JSON.stringify(mark)}`);
  return rows;
}
