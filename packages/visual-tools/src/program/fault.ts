// How reading and running a program stop early; caught in one place and turned into an outcome.
import type { ToolReason, ToolStatus } from "@iapo/rollout-trace";

export class ProgramFault extends Error {
  readonly status: Exclude<ToolStatus, "ok" | "no_tool">;
  readonly code: string;
  readonly at: number;

  constructor(status: ProgramFault["status"], code: string, message: string, at: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.at = at;
  }
}

export function syntaxError(message: string, at: number): ProgramFault {
  return new ProgramFault("parse_error", "syntax", message, at);
}

export function unsupported(what: string, at: number): ProgramFault {
  return new ProgramFault("unsupported", "unsupported_syntax", `${what}: not part of the tool language`, at);
}

export function overLimit(what: string, limit: number, at: number): ProgramFault {
  return new ProgramFault("unsupported", "limit", `the program has more than ${limit} ${what}`, at);
}

export function runError(code: string, message: string, at: number): ProgramFault {
  return new ProgramFault("tool_error", code, message, at);
}

/** The reason with its line and column, both from 1; CR, LF and CR LF each end a line. */
export function reasonOf(fault: ProgramFault, program: string): ToolReason {
  const before = program.slice(0, fault.at).split(/\r\n|\r|\n/);
  return { code: fault.code, message: fault.message, line: before.length, column: (before.at(-1) ?? "").length + 1 };
}
