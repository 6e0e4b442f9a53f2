// Finds the answer in a response. Six readings exist in the field and differ (method.md C.1): ours, the three of
// VTool-R1's first code, and the two of its second code. All scan the text once: a response is hostile input.
import { undecorated } from "./answer-text.ts";
import { isPythonSpace, pythonStrip } from "./python-text.ts";

/**
 * - `final_answer` (default): after the last "FINAL ANSWER:" in any case that something follows, up to TERMINATE or the line's end; a heading, "the final
 *   answer is" and LaTeX's box count where no such marker is.
 * - `whole`: the whole response. For models that are taught to write nothing else in the last turn.
 * - `vtool_v1`: training reward of v1, first match up to ". " or the end of the text.
 * - `vtool_v1_last`, `vtool_v1_terminate`: evaluation of v1, last match, without and with TERMINATE.
 * - `vtool_v2`, `vtool_v2_evaluation`: training reward and evaluation of v2.
 */
export type AnswerExtraction =
  | "final_answer"
  | "whole"
  | "vtool_v1"
  | "vtool_v1_last"
  | "vtool_v1_terminate"
  | "vtool_v2"
  | "vtool_v2_evaluation";

const MARKER = "FINAL ANSWER:";
const STOP = "TERMINATE";

/** The answer's text, or null where this reading finds none. */
export function extractAnswer(response: string, reading: AnswerExtraction = "final_answer"): string | null {
  switch (reading) {
    case "final_answer":
      return finalAnswer(response);
    case "whole":
      return tidy(response);
    case "vtool_v1":
      return openAnswers(response)[0] ?? null;
    case "vtool_v1_last":
      return openAnswers(response).at(-1) ?? null;
    case "vtool_v1_terminate":
      return terminatedAnswers(response).at(-1) ?? null;
    case "vtool_v2":
      return v2Answer(response);
    case "vtool_v2_evaluation":
      return v2EvaluationAnswer(response);
  }
}

/** In the order in which they count: a marker with a colon, a heading, a sentence, LaTeX's box. */
const markers: readonly RegExp[] = [
  /FINAL ANSWER[*_ \t]{0,8}(?:\([^()\n]{0,40}\)[*_ \t]{0,8})?[:\uff1a](?:<\/(?:b|strong)>)?/gi,
  /^[#*_ \t]{0,8}FINAL ANSWER[*_ \t]{0,8}$/gim,
  /\bFINAL ANSWER IS(?![a-z])[: \t]?/gi,
];

/** What stands behind the last marker that something stands behind. */
function finalAnswer(response: string): string | null {
  for (const marker of markers) {
    const found = [...response.matchAll(marker)].slice(-MOST_MARKERS).reverse();
    for (const { index, 0: written } of found) {
      const answer = answerAt(response, index + written.length);
      if (answer !== "" && !marker.test(answer)) return answer;
    }
    if (found.length > 0) return "";
  }
  return boxedAnswer(response);
}

const MOST_MARKERS = 16;

/** The first line that holds something; the items of a list that begins below the marker together, parted by `||`. */
function answerAt(response: string, start: number): string {
  const stop = response.indexOf(STOP, start);
  const text = response.slice(start, stop < 0 ? undefined : stop);
  const own = /^[^\r\n]*/.exec(text)?.[0] ?? "";
  if (!isBlank(own)) return tidyItems(own);
  const lines: string[] = [];
  for (const line of text.slice(own.length).split(/[\r\n]/, MOST_LINES)) {
    if (isBlank(line) && lines.length === 0) continue;
    if (lines.length > 0 && !bullet.test(line)) break;
    lines.push(line);
    if (!bullet.test(line)) break;
  }
  if (lines.length < 2) return tidyItems(lines[0] ?? "");
  const items = lines.map((line) => tidy(line.replace(bullet, "")));
  return items.filter((item) => item !== "").join(" || ");
}

const bullet = /^\s{0,8}(?:[-*\u2022]|\d{1,2}[.)]) (?=\s{0,8}\S)/;
const isBlank = (line: string): boolean => line.replace(/[\s*_]/g, "") === "";
const tidyItems = (line: string): string =>
  line
    .split(/\|\|\|?/)
    .map(tidy)
    .join("||");

const MOST_LINES = 256;

/** Without what is around the answer, and without emphasis that opens or closes elsewhere: an odd mark of stars. */
function tidy(text: string): string {
  const bare = undecorated(text);
  const marks = bare.replace(/(?<=\d)\*\*(?=[-+]?\d)/g, "^").match(/\*+/g)?.length ?? 0;
  if (marks % 2 === 0) return bare;
  const opened = bare.replace(/^\*+/, "");
  return undecorated(opened === bare ? withoutClosingStars(bare) : opened);
}

function withoutClosingStars(text: string): string {
  let end = text.length;
  while (end > 0 && "* \t.".includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** The last `\boxed{}`, where no marker is. */
function boxedAnswer(response: string): string | null {
  const start = response.lastIndexOf("\\boxed{");
  if (start < 0) return null;
  let depth = 0;
  for (let at = start + 6; at < response.length; at += 1) {
    if (response.charAt(at) === "{") depth += 1;
    if (response.charAt(at) === "}") depth -= 1;
    if (depth === 0) return tidy(response.slice(start + 7, at));
  }
  return null;
}

/** v1: from each marker to the first full stop that white space follows, or to the end; never across a line. */
function openAnswers(response: string): string[] {
  const answers: string[] = [];
  let marker = response.indexOf(MARKER);
  while (marker >= 0) {
    const start = skipSpaces(response, marker + MARKER.length);
    let end = start;
    while (!endsOpenAnswer(response, end) && response.charAt(end) !== "\n") end += 1;
    if (endsOpenAnswer(response, end)) answers.push(response.slice(start, end));
    marker = response.indexOf(MARKER, end);
  }
  return answers;
}

function endsOpenAnswer(text: string, index: number): boolean {
  const stop = text.charAt(index) === "." && (isPythonSpace(text, index + 1) || isTextEnd(text, index + 1));
  return stop || isTextEnd(text, index);
}

/** What Python's `$` matches: the end, or before a last line break. */
function isTextEnd(text: string, index: number): boolean {
  return index >= text.length || (index === text.length - 1 && text.charAt(index) === "\n");
}

/** v1's evaluation: from each marker to the next TERMINATE, on one line. */
function terminatedAnswers(response: string): string[] {
  const answers: string[] = [];
  let marker = response.indexOf(MARKER);
  while (marker >= 0) {
    const start = skipSpaces(response, marker + MARKER.length);
    const stop = response.indexOf(STOP, start);
    if (stop < 0) break;
    const answer = trimEnd(response.slice(start, stop));
    const newline = answer.indexOf("\n");
    if (newline < 0) answers.push(answer);
    marker = response.indexOf(MARKER, newline < 0 ? stop + STOP.length : start + newline);
  }
  return answers;
}

function v2Answer(response: string): string {
  const text = response.replaceAll("||", "|");
  const marker = text.indexOf(MARKER);
  const stop = marker < 0 ? -1 : text.indexOf(STOP, marker + MARKER.length);
  if (stop >= 0) return pythonStrip(text.slice(marker + MARKER.length, stop));
  for (const prefix of [MARKER, "ANSWER:"]) {
    const start = text.indexOf(prefix);
    if (start < 0) continue;
    const rest = text.slice(skipSpaces(text, start + prefix.length));
    const bar = rest.indexOf("|");
    return pythonStrip(bar < 0 ? rest : rest.slice(0, bar));
  }
  return pythonStrip(text);
}

function v2EvaluationAnswer(response: string): string {
  const open = response.search(/<answer>/i);
  if (open >= 0) {
    const body = response.slice(open + "<answer>".length);
    const close = body.search(/<\/answer>/i);
    if (close >= 0) return pythonStrip(body.slice(0, close));
  }
  for (const prefix of [/FINAL ANSWER:/i, /ANSWER:/i]) {
    const found = prefix.exec(response);
    if (found === null) continue;
    const rest = response.slice(found.index + found[0].length);
    const stop = rest.search(/TERMINATE/i);
    return pythonStrip(stop < 0 ? rest : rest.slice(0, stop));
  }
  return pythonStrip(/\\boxed\{([^{}]*)\}/.exec(response)?.[1] ?? response);
}

function skipSpaces(text: string, index: number): number {
  let next = index;
  while (isPythonSpace(text, next)) next += 1;
  return next;
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isPythonSpace(text, end - 1)) end -= 1;
  return text.slice(0, end);
}
