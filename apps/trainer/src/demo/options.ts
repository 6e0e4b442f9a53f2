// What a demo is asked.
import type { Regime } from "./regime.ts";

export interface DemoOptions {
  readonly seed: number;
  readonly steps: number;
  /** Held-out charts; each is answered once by each model. */
  readonly charts: number;
  /** Default: a new one below `runs/`. An interrupted demo goes on in its directory. */
  readonly out?: string | undefined;
  /** A directory of published sets, in place of nano-charts. */
  readonly real?: string | undefined;
  /** Left out: the recipe's own. */
  readonly regime?: Regime | undefined;
  /** What it is trained by: a recipe or a configuration. */
  readonly recipe: string;
  /** In place of the nano student and teacher. */
  readonly student?: string | undefined;
  readonly teacher?: string | undefined;
}
