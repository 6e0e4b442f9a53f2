// Several answers in one text, and whether two collections of answers are the same.
import { undecorated } from "./answer-text.ts";

/** More answers than this are no answer; also bounds the matching below. */
const MOST_ANSWERS = 64;

/**
 * The answers of a text: parted by `||` or `|||`. Where several are asked for and no such mark is there, a list in JSON, lines, `|`, semicolons, or
 * commas and `and` count as well, unless a truth holds the mark itself. One text has one reading.
 *
 * @param truths the accepted answers, which say what may part them
 */
export function splitAnswers(answer: string, truths: readonly string[]): string[] {
  const marked = answer.split(/\|\|\|?/, MOST_ANSWERS + 1).map((item) => item.trim());
  if (marked.length > 1) return marked.filter((item) => item !== "");
  if (truths.length < 2) return [answer.trim()];
  const bare = withoutBrackets(undecorated(answer), truths);
  const json = jsonList(bare);
  if (json !== undefined) return json;
  for (const { mark, held } of marks) {
    if (truths.some((truth) => held.test(truth))) continue;
    const items = bare.split(mark, MOST_ANSWERS + 1).map((item) => item.trim());
    if (items.length > 1) return items.filter((item) => item !== "");
  }
  return [answer.trim()];
}

/** A list in parentheses or braces, where no truth has such. */
function withoutBrackets(text: string, truths: readonly string[]): string {
  const inner = /^\(([^()]*)\)$|^\{([^{}]*)\}$/.exec(text);
  return inner === null || truths.some((truth) => /[(){}]/.test(truth)) ? text : (inner[1] ?? inner[2] ?? "").trim();
}

const marks: readonly { readonly mark: RegExp; readonly held: RegExp }[] = [
  { mark: /\n+/, held: /\n/ },
  { mark: /\|/, held: /\|/ },
  { mark: /[;\uff1b]/, held: /[;\uff1b]/ },
  // A comma amid 1,234 parts nothing.
  { mark: /[,\uff0c\u3001](?!\d{3}(?!\d))(?: and )?| and | & /i, held: /[,\uff0c\u3001]| and | & /i },
];

/** `["Red", "Blue"]`, or `[Red, Blue]` as ChartQA writes the answers of one question. */
export function jsonList(text: string): string[] | undefined {
  if (!text.startsWith("[") || !text.endsWith("]")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!Array.isArray(value) || value.length > MOST_ANSWERS) return undefined;
    return value.every((item) => typeof item === "string" || typeof item === "number") ? value.map(String) : undefined;
  } catch {
    const items = text.slice(1, -1).split(",", MOST_ANSWERS + 1);
    return items.map((item) => undecorated(item)).filter((item) => item !== "");
  }
}

/** Kuhn's augmenting paths: can every item be paired with a truth of its own? */
export function hasPerfectMatching<T>(
  items: readonly T[],
  truths: readonly T[],
  agree: (item: T, truth: T) => boolean,
): boolean {
  if (items.length !== truths.length || items.length > MOST_ANSWERS) return false;
  const takenBy = new Map<number, number>();
  const place = (item: number, tried: Set<number>): boolean =>
    truths.some((truth, index) => {
      const own = items[item];
      if (own === undefined || tried.has(index) || !agree(own, truth)) return false;
      tried.add(index);
      const holder = takenBy.get(index);
      if (holder !== undefined && !place(holder, tried)) return false;
      takenBy.set(index, item);
      return true;
    });
  return items.every((_, item) => place(item, new Set()));
}
