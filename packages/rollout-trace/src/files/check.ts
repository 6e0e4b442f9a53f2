// Whether a step file is whole, without decoding its traces.
import { createReadStream } from "node:fs";
import { TraceError } from "../error.ts";
import { checkLine, splitLines } from "./lines.ts";

/**
 * Checks checksums, the first line and the last one: quick enough to be done for all steps of a run before it goes on.
 * @throws TraceError `torn`, `corrupt`, `too_large`, `invalid` for the file of another step, `read_failed`; with file and line
 */
export async function checkStep(path: string, step: number): Promise<void> {
  let [lines, checksum] = [0, 0];
  let last: Buffer | undefined;
  try {
    for await (const line of splitLines(createReadStream(path))) {
      checksum = checkLine(line, checksum);
      if (lines === 0) checkKind(line, "step", "step", step);
      last = line;
      lines++;
    }
    if (last === undefined) throw new TraceError("torn", "the file is empty");
    checkKind(last, "end", "lines", lines - 1);
  } catch (cause) {
    const code = cause instanceof TraceError ? cause.code : "read_failed";
    throw new TraceError(code, `${path}, line ${lines + 1}: ${(cause as Error).message}`, { cause });
  }
}

function checkKind(line: Buffer, kind: string, name: string, value: number): void {
  const record: unknown = JSON.parse(line.toString("utf8"));
  const found = { ...(record as Record<string, unknown>) };
  if (found.kind !== kind)
    throw new TraceError(kind === "end" ? "torn" : "invalid", `there is no line of kind ${kind}`);
  if (found[name] !== value) throw new TraceError("invalid", `it says ${name} ${String(found[name])}, not ${value}`);
}
