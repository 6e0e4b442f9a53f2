/**
 * What decoding with 3B and an adapter costs the processor: dispatches of a token, and CPU time to record and submit them. The driver is a real
 * card's, Mesa's RADV, but what it is given to run is thrown away (tools/null-card/shim.c): so no weights are needed, and no work of a card
 * is in the figures; what a driver does to record commands is not, either.
 * Prints `{ name, rows }`; `correct`: every token was recorded, with as many dispatches in each round. Skipped where RADV is missing.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildNullCard } from "../../../tools/null-card/null-card.ts";

const program = join(import.meta.dirname, "decode-tokens.ts");
/** Of the issue "Fast and safe on real GPUs". */
const GOAL = { dispatches: 410, milliseconds: 2 };

interface Decoded {
  readonly driver: string;
  readonly isSame: boolean;
  readonly dispatches: number;
  readonly milliseconds: number;
  readonly ofMainThread: number;
}

const built = await buildNullCard();
if (typeof built === "string") console.log(JSON.stringify({ skipped: built }));
else {
  await using card = built;
  const rows: object[] = [];
  const rounded = (value: number): number => Number(value.toPrecision(4));
  let driver = "";
  for (const batch of [1, 8]) {
    const args = ["--conditions=@iapo/source", "--no-warnings", program, String(batch)];
    const { stdout } = await promisify(execFile)("node", args, { env: card.environment });
    const decoded = JSON.parse(stdout) as Decoded;
    ({ driver } = decoded);
    const { isSame: correct, dispatches, milliseconds, ofMainThread } = decoded;
    const name = `3B with LoRA, batch ${batch}: a token`;
    rows.push(
      { case: `${name}, dispatches`, unit: "dispatches", ours: rounded(dispatches), goal: GOAL.dispatches, correct },
      { case: `${name}, CPU time`, unit: "ms", ours: rounded(milliseconds), goal: GOAL.milliseconds, correct },
      { case: `${name}, of it JavaScript's thread`, unit: "ms", ours: rounded(ofMainThread), correct },
    );
  }
  console.log(JSON.stringify({ name: "decode-record", versions: { driver }, rows }));
}
