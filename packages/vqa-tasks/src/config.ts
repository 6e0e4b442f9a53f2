/** Strict schemas of everything that a configuration file may set here. A key may be left out; the default stands in. */

import { toolOptionsSchema } from "@iapo/visual-tools/config";
import { z } from "zod";
import { type EnvironmentOptions, environmentPresets } from "./environment/options.ts";
import { type DataFormat, dataFormats } from "./loaders/formats.ts";
import { defaultNanoChartOptions, type NanoChartOptions } from "./nano/options.ts";
import { type ChatOptions, defaultChatOptions } from "./scoring/chat.ts";
import { endpointProblem, isSecretHeader } from "./scoring/endpoint-address.ts";
import { defaultJudgeOptions, type JudgeOptions } from "./scoring/judge.ts";
import { scoringRules } from "./scoring/rules.ts";

const scorings = ["by_set", ...scoringRules, "similarity_v1", "judge"] as const;
const extractions = [
  "final_answer",
  "whole",
  "vtool_v1",
  "vtool_v1_last",
  "vtool_v1_terminate",
  "vtool_v2",
  "vtool_v2_evaluation",
] as const;

/**
 * `preset` with single options in its place: `{ "preset": "vtool_v2", "scoring": { "scoring": "relaxed" } }`. Its value is
 * the whole set of options.
 */
export const environmentOptionsSchema: z.ZodType<EnvironmentOptions, unknown> = z
  .strictObject({
    preset: z.enum(["default", "vtool_v1", "vtool_v2"]).default("default"),
    tools: z.looseObject({ limits: z.looseObject({}).optional() }).optional(),
    scoring: z
      .strictObject({ scoring: z.enum(scorings).optional(), extraction: z.enum(extractions).optional() })
      .optional(),
    secondTurn: z.enum(["append", "rebuild"]).optional(),
    failureFeedback: z.boolean().optional(),
    prompt: z.enum(["full", "compact"]).optional(),
    firstRowStays: z.enum(["always", "tables"]).optional(),
    questionFirst: z.boolean().optional(),
    secondTemperature: z.number().min(0).optional(),
  })
  .transform(({ preset, tools, scoring, ...single }, context): EnvironmentOptions => {
    const base = environmentPresets[preset];
    const given = { ...base.tools, ...tools, limits: { ...base.tools.limits, ...tools?.limits } };
    const checked = toolOptionsSchema.safeParse(given);
    for (const issue of checked.error?.issues ?? []) {
      context.addIssue({ code: "custom", message: issue.message, path: ["tools", ...issue.path] });
    }
    return {
      ...base,
      ...withoutUndefined(single),
      tools: checked.data ?? base.tools,
      scoring: { ...base.scoring, ...withoutUndefined(scoring ?? {}) },
    };
  });

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

const endpoint = z.strictObject({
  endpoint: z.string().superRefine((text, context) => {
    const message = endpointProblem(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  }),
  model: z.string().min(1),
  timeoutMs: z.int().min(1).default(defaultChatOptions.timeoutMs),
  retries: z.int().min(0).max(20).default(defaultChatOptions.retries),
  firstDelayMs: z.int().min(0).default(defaultChatOptions.firstDelayMs),
  concurrency: z.int().min(1).max(1024).default(defaultChatOptions.concurrency),
  maximumTokens: z.int().min(1).default(defaultChatOptions.maximumTokens),
  maxTokensName: z.enum(["max_tokens", "max_completion_tokens"]).optional(),
  temperature: z.number().min(0).optional(),
  apiKeyHeader: z.string().regex(headerName).optional(),
  headers: z
    .record(z.string().regex(headerName), z.string().regex(/^[\t\x20-\x7e]*$/))
    .refine((headers) => !Object.keys(headers).some(isSecretHeader), {
      error:
        "a file holds no keys; the key comes from the environment, under apiKeyHeader where it has a header of its own",
    })
    .optional(),
  query: z.record(z.string(), z.string()).optional(),
  body: z
    .record(z.string(), z.json())
    .refine((body) => !["model", "messages", "stream"].some((name) => name in body), {
      error: "model, messages and stream are set by the request itself",
    })
    .optional(),
});

/** All of an endpoint that a file may set: its key is left to the caller's environment. */
export const chatOptionsSchema: z.ZodType<Omit<ChatOptions, "apiKey">, unknown> = endpoint;

/** All of a judge that a file may set. */
export const judgeOptionsSchema: z.ZodType<
  Omit<JudgeOptions, "apiKey" | "record" | "recorded">,
  unknown
> = endpoint.extend({
  reading: z.enum(["nonce", "vtool_v1", "vtool_v2", "vtool_v2_evaluation"]).default(defaultJudgeOptions.reading),
});

const share = z.number().min(0).max(1).default(0);

export const nanoChartOptionsSchema: z.ZodType<NanoChartOptions, unknown> = z.strictObject({
  seed: z.int().min(0).default(defaultNanoChartOptions.seed),
  size: z.int().min(112).max(2048).default(defaultNanoChartOptions.size),
  bars: z.tuple([z.int().min(3).max(6), z.int().min(3).max(6)]).default([...defaultNanoChartOptions.bars]),
  questions: z
    .array(z.enum(["value", "over", "above"]))
    .min(1)
    .default([...defaultNanoChartOptions.questions]),
  names: z.union([z.literal("words"), z.array(z.string().min(1))]).optional(),
  quality: z.strictObject({ wrongAxis: share, noCall: share, malformed: share }).prefault({}),
});

export type DataOptions = {
  readonly format: DataFormat;
  /** A file, or a folder with all its readable files. */
  readonly path?: string | undefined;
  /** A data set repository on a hub, such as `owner/name`, instead of `path`. */
  readonly hub?:
    | { readonly repository: string; readonly revision?: string | undefined; readonly prefix?: string | undefined }
    | undefined;
  readonly images?: string | undefined;
  readonly tables?: string | undefined;
  readonly onBadRow: "fail" | "skip";
};

export const dataOptionsSchema: z.ZodType<DataOptions, unknown> = z
  .strictObject({
    format: z.enum(dataFormats),
    path: z.string().min(1).optional(),
    hub: z
      .strictObject({ repository: z.string().min(1), revision: z.string().optional(), prefix: z.string().optional() })
      .optional(),
    images: z.string().min(1).optional(),
    tables: z.string().min(1).optional(),
    onBadRow: z.enum(["fail", "skip"]).default("fail"),
  })
  .refine(({ path, hub }) => (path === undefined) !== (hub === undefined), { error: "give either path or hub" });

export type DataSettings = {
  readonly nanoCharts?: NanoChartOptions | undefined;
  readonly files?: DataOptions | undefined;
  /** Held-out tasks beside `files`; nano-charts have a split of their own. */
  readonly validation?: DataOptions | undefined;
  /** Tasks that training draws from at most. */
  readonly limit?: number | undefined;
};

export const dataSettingsSchema: z.ZodType<DataSettings, unknown> = z
  .strictObject({
    nanoCharts: nanoChartOptionsSchema.optional().describe("Small bar charts, drawn on the fly."),
    files: dataOptionsSchema.optional().describe("Charts or tables in a published format."),
    validation: dataOptionsSchema.optional().describe("Held-out tasks beside files."),
    limit: z.int().min(1).optional().describe("Tasks that training draws from at most."),
  })
  .refine(({ nanoCharts, files }) => (nanoCharts === undefined) !== (files === undefined), {
    error: "give either nanoCharts or files",
  })
  .refine(({ files, validation }) => files !== undefined || validation === undefined, {
    error: "nano-charts have a validation split of their own",
    path: ["validation"],
  });

/** Drops keys whose value is undefined, so that spreading cannot erase a preset's value. */
function withoutUndefined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
