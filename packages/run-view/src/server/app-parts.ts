// What the addresses of the viewer are served from.
import type { ReplayedNumber } from "../pages/replayed.ts";
import type { Library } from "../runs/library.ts";
import type { Assets } from "./assets.ts";
import type { Guard } from "./safety.ts";

/** What only packages above this one can do; pages go without what is not given. */
export interface Helpers {
  /**
   * Computes a step of a run again, and tells each number. Rejects where one differs, or where the step cannot be replayed.
   * @param run its directory
   */
  readonly replay?:
    | ((run: string, step: number, onNumber: (number: ReplayedNumber) => void) => Promise<void>)
    | undefined;
  /**
   * What turns token ids of a run into their texts; undefined where its tokenizer is not there.
   * @param run its directory
   */
  readonly tokenTexts?: ((run: string) => Promise<((ids: Int32Array) => readonly string[]) | undefined>) | undefined;
}

export interface AppParts {
  readonly library: Library;
  readonly directories: readonly string[];
  readonly assets: Assets;
  readonly guard: Guard;
  readonly helpers: Helpers;
}
