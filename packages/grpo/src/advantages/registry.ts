// Advantages by kind: the schema, the README's table and the conformance test take them from here.
import { GrpoError } from "../error.ts";
import type { AdvantageDefinition, AdvantageSettings } from "./define.ts";
import { grpoAdvantage } from "./grpo.ts";
import { rlooAdvantage } from "./rloo.ts";

/** To add a kind: its file in this folder, and its name here. In the order of the README. */
const all = [grpoAdvantage, rlooAdvantage] as const;

export type AdvantageKind = (typeof all)[number]["kind"];

export type AdvantageOptions = AdvantageSettings & { readonly kind: AdvantageKind };

export const advantageKinds: readonly AdvantageKind[] = all.map(({ kind }) => kind);

const definitions: ReadonlyMap<AdvantageKind, AdvantageDefinition<AdvantageKind>> = new Map(
  all.map((advantage) => [advantage.kind, advantage]),
);

/** @throws GrpoError `argument` for a kind that does not exist */
export function advantageDefinition(kind: AdvantageKind): AdvantageDefinition<AdvantageKind> {
  const found = definitions.get(kind);
  if (found) return found;
  throw new GrpoError("argument", `no advantage is called ${String(kind)}; use one of ${advantageKinds.join(", ")}`);
}
