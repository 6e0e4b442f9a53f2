// The losses by kind: the schema, the README's table and the conformance test take them from here.
import { GrpoError } from "../error.ts";
import { cispo } from "./cispo.ts";
import { dapo } from "./dapo.ts";
import type { LossDefinition, LossSettings } from "./define.ts";
import { drGrpo } from "./dr-grpo.ts";
import { grpo } from "./grpo.ts";
import { gspo } from "./gspo.ts";
import { reinforce } from "./reinforce.ts";
import { sapo } from "./sapo.ts";

/** To add a loss: its file in this folder, and its name here. In the order of the README. */
const all = [grpo, dapo, drGrpo, gspo, cispo, sapo, reinforce] as const;

export type LossKind = (typeof all)[number]["kind"];

export type LossOptions = LossSettings & { readonly kind: LossKind };

export const lossKinds: readonly LossKind[] = all.map(({ kind }) => kind);

const definitions: ReadonlyMap<LossKind, LossDefinition<LossKind>> = new Map(all.map((loss) => [loss.kind, loss]));

/** @throws GrpoError `argument` for a kind that no loss has */
export function lossDefinition(kind: LossKind): LossDefinition<LossKind> {
  const found = definitions.get(kind);
  if (found) return found;
  throw new GrpoError("argument", `no loss is called ${String(kind)}; use one of ${lossKinds.join(", ")}`);
}

/** A loss as it was published (docs/method.md D.2, D.3). @throws GrpoError `argument` */
export function lossPreset(kind: LossKind): LossOptions {
  return {
    clip: { low: 0.2, high: 0.2 }, // of the metrics, where the loss has none
    gate: { positive: 1, negative: 1.05 },
    turns: "all",
    maskTruncated: false,
    ...lossDefinition(kind).preset,
    kind,
  };
}
