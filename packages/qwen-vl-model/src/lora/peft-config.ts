// adapter_config.json: what of it an adapter is, and that nothing else changes its meaning.
import { z } from "zod";
import { isObject, readJsonFile, validate } from "../config/json-file.ts";
import { QwenVLError, reasonOf } from "../error.ts";
import { withDeadline } from "../processor/deadline.ts";
import { isNamedBy, moduleName } from "./targets.ts";

export interface PeftConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly rankStabilized: boolean;
  /** Rank and alpha of the modules with these published names, which patterns may give values of their own. */
  readonly sizesOf: (
    names: readonly string[],
  ) => ReadonlyMap<string, { readonly rank: number; readonly alpha: number }>;
  /** Modules that must have a pair: those that are listed by name, where nothing else chooses among them. */
  readonly targets: readonly string[];
  /** Of the names of one module, whether `target_modules` takes it; what it leaves out has no pair. */
  readonly isTarget: (names: readonly string[]) => boolean;
  /** Whole matrices that come with the pairs. */
  readonly saved: readonly ("embed_tokens" | "lm_head")[];
  /** A saved embedding is the tied head too. */
  readonly keepsTies: boolean;
}

/** One that f32 holds. */
const alphaSchema = z
  .number()
  .positive()
  .refine((alpha) => Number.isFinite(Math.fround(alpha)) && Math.fround(alpha) > 0, {
    error: "too large or too small for f32",
  });

const schema = z.object({
  peft_type: z.literal("LORA", { error: 'only "LORA" is supported' }),
  r: z.int().min(1).max(4096),
  lora_alpha: alphaSchema,
  use_rslora: z.boolean().nullish(),
  rank_pattern: z.record(z.string(), z.int().min(1).max(4096)).nullish(),
  alpha_pattern: z.record(z.string(), alphaSchema).nullish(),
  modules_to_save: z.array(z.string()).nullish(),
  ensure_weight_tying: z.boolean().nullish(),
  bias: z.literal("none", { error: 'only "none" is supported' }).nullish(),
  // The other ways to start (PiSSA, OLoRA, LoftQ, CorDA) alter the base weights too.
  init_lora_weights: z
    .union([z.boolean(), z.enum(["gaussian", "eva", "orthogonal"])], { error: "this start alters the base weights" })
    .nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
});

/** Fields of PEFT and of those who write its files that do not matter once an adapter is trained: the tensors' names and shapes say it, or nothing does. */
const IRRELEVANT: ReadonlySet<string> = new Set([
  ...["task_type", "base_model_name_or_path", "revision", "auto_mapping", "inference_mode", "peft_version"],
  ...["lora_dropout", "exclude_modules", "layers_to_transform", "layers_pattern", "megatron_core", "runtime_config"],
  ...["qalora_group_size", "loftq_config", "eva_config"], // of variants that other fields switch on
  ...["unsloth_fixed", "unsloth_version", "lora_dtype", "lorap_lr_ratio", "lorap_emb_lr"], // Unsloth, ms-swift
]);

/** What those fields mean that people have. */
const VARIANTS: Readonly<Record<string, string>> = {
  use_dora: "DoRA",
  use_qalora: "QALoRA",
  use_bdlora: "block-diagonal LoRA",
  lora_bias: "a bias of B",
  fan_in_fan_out: "a transposed weight",
  alora_invocation_tokens: "activated LoRA",
  layer_replication: "layers used several times",
  arrow_config: "Arrow routing",
  kasa_config: "KaSA",
  trainable_token_indices: "training of single tokens",
  target_parameters: "LoRA of bare parameters",
};

/** @throws QwenVLError `config` for a file that is not there or broken, and for every field that makes the matrices mean something else */
export async function readPeftConfig(file: string): Promise<PeftConfig> {
  const json = await readJsonFile(file);
  if (json === undefined) throw new QwenVLError("config", `${file}: there is no such file`);
  const raw = validate(schema, json, file);
  if (isObject(json)) refuseVariants(json, file);
  const saved = (raw.modules_to_save ?? []).map((name) => savedModule(name, file));
  const chosen = ["exclude_modules", "layers_to_transform"].some((key) => isObject(json) && !isAbsent(json[key]));
  const { r: rank, lora_alpha: alpha } = raw;
  const ranks = compiled(raw.rank_pattern ?? {}, `${file}: rank_pattern`);
  const alphas = compiled(raw.alpha_pattern ?? {}, `${file}: alpha_pattern`);
  return {
    ...{ rank, alpha, saved, rankStabilized: raw.use_rslora === true },
    keepsTies: raw.ensure_weight_tying === true || !saved.includes("embed_tokens"),
    targets: Array.isArray(raw.target_modules) && !chosen ? raw.target_modules : [],
    isTarget: targetTest(raw.target_modules, file),
    sizesOf: (names) =>
      withDeadline(4000, "config", `${file}: matching rank_pattern and alpha_pattern`, () => {
        const sizes = (name: string) => ({ rank: ranks(name) ?? rank, alpha: alphas(name) ?? alpha });
        return new Map(names.map((name) => [name, sizes(name)]));
      }),
  };
}

/** PEFT's rule. A pattern that only Python reads is taken to name what has matrices. */
function targetTest(targets: string | readonly string[] | null | undefined, file: string): PeftConfig["isTarget"] {
  if (targets === undefined || targets === null || targets === "all-linear" || targets.length === 0) return () => true;
  if (typeof targets !== "string")
    return (names) => targets.some((target) => names.some((name) => isNamedBy(name, target)));
  const pattern = regularExpression(`^(?:${targets})$`);
  return (names) =>
    pattern === undefined ||
    withDeadline(4000, "config", `${file}: matching target_modules`, () => names.some((name) => pattern.test(name)));
}

function regularExpression(source: string): RegExp | undefined {
  try {
    return new RegExp(source);
  } catch {
    return undefined;
  }
}

function refuseVariants(json: Readonly<Record<string, unknown>>, file: string): void {
  const known = schema.shape as Readonly<Record<string, unknown>>;
  const faults = Object.entries(json).flatMap(([name, value]) => {
    if (name in known || IRRELEVANT.has(name) || isAbsent(value)) return [];
    const variant = VARIANTS[name];
    const text = JSON.stringify(value).slice(0, 80);
    return [`${name}: ${variant ?? `${text}, a variant of LoRA that is not known here,`} is not supported`];
  });
  if (faults.length > 0) throw new QwenVLError("config", `${file}: ${faults.join("; ")}`);
}

/** An empty object is a variant with its defaults. */
function isAbsent(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    value === false ||
    value === "" ||
    (Array.isArray(value) && value.length === 0)
  );
}

function savedModule(name: string, file: string): "embed_tokens" | "lm_head" {
  const last = name.split(".").at(-1);
  if (last === "embed_tokens" || last === "lm_head") return last;
  throw new QwenVLError("config", `${file}: modules_to_save: ${name}: only embed_tokens and lm_head are supported`);
}

/** PEFT's rule: the first pattern that is the module's name, or the end of it behind a dot. A name of either transformers counts. */
function compiled(patterns: Readonly<Record<string, number>>, place: string): (name: string) => number | undefined {
  const list = Object.entries(patterns).map(([key, value]) => {
    try {
      return { pattern: new RegExp(`^(?:.*\\.)?(?:${key})$`), value };
    } catch (cause) {
      throw new QwenVLError("config", `${place}: ${key}: ${reasonOf(cause)}`, { cause });
    }
  });
  return (name) => list.find(({ pattern }) => [moduleName(name), name].some((own) => pattern.test(own)))?.value;
}
