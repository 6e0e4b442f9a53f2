// Dates that can be read in one way only: 1990-05-03, May 3, 1990, 3 May 1990, May 1990.
const months = "january february march april may june july august september october november december".split(" ");

/** `1990-05-03`, with `xx` where the day, or in WikiTableQuestions' canonical form any part, is not said; null for what is no date. */
export function readDate(text: string): string | null {
  if (text.length > 40) return null;
  const canonical = /^(\d{4}|xxxx|xx)-(\d{1,2}|xx)-(\d{1,2}|xx)$/.exec(text);
  if (canonical) {
    const [, year = "", month = "", day = ""] = canonical;
    return date(year.startsWith("x") ? undefined : Number(year), partOf(month), partOf(day));
  }
  const monthFirst = /^([a-z]{3,9})\.? (?:(\d{1,2})(?:st|nd|rd|th)?,? )?(\d{4})$/.exec(text);
  if (monthFirst) return date(Number(monthFirst[3]), monthOf(monthFirst[1]), partOf(monthFirst[2] ?? "xx"));
  const dayFirst = /^(\d{1,2})(?:st|nd|rd|th)?(?: of)? ([a-z]{3,9})\.?,? (\d{4})$/.exec(text);
  if (dayFirst) return date(Number(dayFirst[3]), monthOf(dayFirst[2]), Number(dayFirst[1]));
  const noYear = /^([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?$/.exec(text);
  return noYear ? date(undefined, monthOf(noYear[1]), Number(noYear[2])) : null;
}

const partOf = (text: string): number | undefined => (text === "xx" ? undefined : Number(text));

/** By its name, or by three letters or more of it; -1 for another word. */
function monthOf(word = ""): number {
  return months.findIndex((month) => month === word || (word.length <= 4 && month.startsWith(word))) + 1 || -1;
}

function date(year: number | undefined, month: number | undefined, day: number | undefined): string | null {
  if (month !== undefined && !(month >= 1 && month <= 12)) return null;
  if (day !== undefined && !(day >= 1 && day <= 31)) return null;
  if (month === undefined && day === undefined) return null;
  const two = (part: number | undefined): string => (part === undefined ? "xx" : String(part).padStart(2, "0"));
  return `${year ?? "xxxx"}-${two(month)}-${two(day)}`;
}
