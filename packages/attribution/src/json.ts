// Results as JSON, for files and other programs.
import { at } from "./checked.ts";
import type { BlockAttribution, Convergence, TokenAttribution } from "./methods.ts";

/** Version of the format. */
export const attributionVersion = 1;

/** An attribution as plain data; scores keep their f64 values. */
export interface AttributionJson {
  readonly version: typeof attributionVersion;
  readonly method: BlockAttribution["method"];
  readonly targetLogProb: number;
  readonly tokenScores?: readonly number[];
  readonly blocks?: readonly { readonly name: string; readonly score: number }[];
  readonly convergence?: Convergence;
}

/** What `JSON.stringify` takes. Field order is fixed, so equal results give equal text. */
export function attributionToJson(result: TokenAttribution | BlockAttribution): AttributionJson {
  const { method, targetLogProb, tokenScores, convergence } = result;
  return {
    version: attributionVersion,
    method,
    targetLogProb,
    ...(tokenScores && { tokenScores: [...tokenScores] }),
    ...("names" in result && {
      blocks: result.names.map((name, unit) => ({ name, score: at(result.blockScores, unit) })),
    }),
    ...(convergence && { convergence }),
  };
}
