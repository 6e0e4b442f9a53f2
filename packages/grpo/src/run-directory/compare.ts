// Whether a run that goes on is the run that was begun: settings, content, code and kernels, each difference by its name.
import { isDeepStrictEqual } from "node:util";
import { GrpoError } from "../error.ts";
import { type RunRecord, recordPath } from "./record.ts";

/** Names in a message at most. */
const SHOWN = 8;

/** @throws GrpoError `differs` that names what is not as in `record`; the adapter is not compared */
export function checkSame(directory: string, record: RunRecord, now: RunRecord): void {
  const refuse = (problem: string, advice: string): GrpoError =>
    new GrpoError("differs", `${recordPath(directory)}: ${problem}; ${advice}`);
  if (record.kernelFamily !== now.kernelFamily) {
    throw refuse(
      `the run was made with the ${record.kernelFamily} kernels (${record.adapter}), this adapter takes the ${now.kernelFamily} ones`,
      "resume it where it was made",
    );
  }
  const settings = differences(record.settings, now.settings);
  if (settings.length > 0)
    throw refuse(
      `the run was made with other settings: ${list(settings)}`,
      "resume it with those in this file, or choose another directory",
    );
  checkContent(recordPath(directory), record.content, now.content, "resume it with what it was made with");
  const code = differences(record.code, now.code);
  if (code.length > 0)
    throw refuse(
      `the run was made by other versions, which may give other numbers: ${list(code)}`,
      "install those, or choose another directory",
    );
}

/** @param where the run, for the message. @throws GrpoError `differs` that names what is not what the run was made with */
export function checkContent(
  where: string,
  recorded: RunRecord["content"],
  found: RunRecord["content"],
  advice: string,
): void {
  const names = [...new Set([...Object.keys(recorded), ...Object.keys(found)])].sort();
  const others = names.flatMap((name) => {
    if (recorded[name] === found[name]) return [];
    const how = found[name] === undefined ? " (gone)" : recorded[name] === undefined ? " (new)" : "";
    return [`${name}${how}`];
  });
  if (others.length === 0) return;
  throw new GrpoError(
    "differs",
    `${where}: the run was made with another content of ${list(others)}; ${advice}, or choose another directory`,
  );
}

/** `grpo.groups (2 in the run, 3 now)`, by dotted path. */
function differences(before: unknown, now: unknown, path = ""): string[] {
  if (isDeepStrictEqual(before, now)) return [];
  if (isRecord(before) && isRecord(now)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
    return keys.flatMap((key) => differences(before[key], now[key], path === "" ? key : `${path}.${key}`));
  }
  return [`${path} (${shown(before)} in the run, ${shown(now)} now)`];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function list(names: readonly string[]): string {
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  return `${names.slice(0, SHOWN).join(", ")}${more}`;
}
