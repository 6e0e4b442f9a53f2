// Which projections an adapter is for, by the names that PEFT knows them under.

import { tensorTable } from "../config/tensor-table.ts";
import type { QwenVLConfig } from "../config/types.ts";
import { QwenVLError } from "../error.ts";

/**
 * Names of modules as PEFT takes them ("q_proj": every module whose last name part it is, or a dotted end of the module's name), a regular expression
 * over the whole name, or every projection. A module has two names, the published one and that of current transformers; either counts.
 */
export type LoraTargets = readonly string[] | RegExp | "all-linear";

export interface Projection {
  /** Published name, without `.weight`. */
  readonly name: string;
  readonly out: number;
  readonly input: number;
}

/** The name that current transformers has in memory, which PEFT's keys follow. */
export function moduleName(name: string): string {
  return name.startsWith("visual.") ? `model.${name}` : name.replace(/^model\./, "model.language_model.");
}

/** Every matrix that an adapter may be for. */
export function projectionsOf(config: QwenVLConfig): Projection[] {
  return tensorTable(config)
    .filter(({ isProjection }) => isProjection)
    .map(({ name, shape: [out = 0, input = 0] }) => ({ name: name.replace(/\.weight$/, ""), out, input }));
}

/** Whether a module, under either name, is the one that `target` names. */
export function isNamedBy(name: string, target: string): boolean {
  return [name, moduleName(name)].some((own) => own === target || own.endsWith(`.${target}`));
}

/** The projections that `targets` names. @throws QwenVLError `config` where one of them names nothing */
export function targetsOf(config: QwenVLConfig, targets: LoraTargets): Projection[] {
  const all = projectionsOf(config);
  if (targets === "all-linear") return all;
  if (targets instanceof RegExp) {
    const found = all.filter(({ name }) => [name, moduleName(name)].some((own) => own.search(targets) >= 0));
    if (found.length === 0) throw new QwenVLError("config", `no projection matches the LoRA targets ${targets}`);
    return found;
  }
  if (!Array.isArray(targets) || targets.length === 0 || targets.some((target) => typeof target !== "string")) {
    throw new QwenVLError("config", 'LoRA targets: expected names of modules, a regular expression or "all-linear"');
  }
  const idle = targets.filter((target) => !all.some(({ name }) => isNamedBy(name, target)));
  if (idle.length > 0) {
    const known = [...new Set(all.map(({ name }) => name.replace(/.*\.(?=[a-z])/, "")))].join(", ");
    throw new QwenVLError("config", `no projection matches the LoRA targets ${idle.join(", ")}; there are ${known}`);
  }
  return all.filter(({ name }) => targets.some((target) => isNamedBy(name, target)));
}
