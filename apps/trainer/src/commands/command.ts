// What a command is to the frame: it puts itself on the program, and its work runs through `run`, which gives it its voice and takes its exit code.
import { type Command, InvalidArgumentError } from "commander";
import type { CliIo } from "../io.ts";

/** Runs a command's work when the command line asks for it. */
export type Run = (work: (io: CliIo) => Promise<number>) => Promise<void>;

export type AddCommand = (program: Command, run: Run) => void;

/** Reads an option that is a whole number of at least 1. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It must be a whole number of at least 1.");
  return value;
}

/** Reads an option that counts from 0. */
export function placeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError("It must be a whole number of at least 0.");
  return value;
}

/** Gathers the values of an option that may be repeated. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** Reads an option in GiB as bytes. */
export function gibibytes(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("It must be a number above 0.");
  return value * 2 ** 30;
}

/** Reads a port to listen on; 0 is one that is free. */
export function portNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535 || text.trim() === "")
    throw new InvalidArgumentError("It must be a whole number from 0 to 65535.");
  return value;
}

/** Timers hold no more than some weeks. */
const MOST = 500;

/** Reads an option that is a number of hours or minutes. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && value <= MOST))
    throw new InvalidArgumentError(`It must be a number above 0, at most ${MOST}.`);
  return value;
}
