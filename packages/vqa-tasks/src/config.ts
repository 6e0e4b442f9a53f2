// Strict schemas of everything that a configuration file may set here. A key may be left out; the default stands in.
import { toolOptionsSchema } from "@iapo/visual-tools/config";
import { z } from "zod";
import { type EnvironmentOptions, environmentPresets } from "./environment/options.ts";
import { type DataFormat, dataFormats } from "./loaders/formats.ts";
import { defaultNanoChartOptions, effects, type NanoChartOptions } from "./nano/options.ts";
import { type ChatOptions, defaultChatOptions } from "./scoring/chat.ts";
import { endpointProblem, isSecretHeader } from "./scoring/endpoint-address.ts";
import { LONGEST_TIMEOUT_MS } from "./scoring/http.ts";
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
    preset: z
      .enum(["default", "vtool_v1", "vtool_v2"])
      .default("default")
      .describe("A set of options; the other keys replace single ones. vtool_v1 and vtool_v2 are the published codes."),
    tools: z
      .union([
        z.string().min(1),
        z.looseObject({
          module: z.string().min(1).optional().describe("A module that exports own tools in place of the six."),
          limits: z.looseObject({}).optional().describe("Bounds of one program."),
        }),
      ])
      .optional()
      .describe("How tool programs are read and run; or only the module of own tools."),
    scoring: z
      .strictObject({
        scoring: z.enum(scorings).optional().describe("The rule by which an answer is right."),
        extraction: z.enum(extractions).optional().describe("How the answer is found in a response."),
      })
      .optional()
      .describe("How answers are scored."),
    secondTurn: z
      .enum(["append", "rebuild"])
      .optional()
      .describe("The edited image comes in a new message, or in a prompt of its own with both images first."),
    failureFeedback: z.boolean().optional().describe("A failed program gets a second turn that says why."),
    prompt: z
      .enum(["full", "compact"])
      .optional()
      .describe("Full instructions for the tools, or one line each, for models that learn what they mean."),
    firstRowStays: z
      .enum(["always", "tables"])
      .optional()
      .describe("Where masking rows leaves the first one alone: always, or in tables, where it is a header."),
    questionFirst: z.boolean().optional().describe("Image and question stand before the instructions."),
    secondTemperature: z.number().min(0).optional().describe("Temperature of the second turn, where it differs."),
    module: z
      .string()
      .min(1)
      .optional()
      .describe("A module that exports an environment with tasks of its own, in place of this one."),
    options: z.record(z.string(), z.json()).optional().describe("What that module is given."),
  })
  .transform(({ module: environment, options, ...standard }, context): EnvironmentOptions => {
    const { preset, tools, scoring, ...single } = standard;
    const base = environmentPresets[preset];
    const custom = (path: string, message: string): void => context.addIssue({ code: "custom", message, path: [path] });
    if (environment !== undefined) {
      const { preset: _, ...rest } = withoutUndefined(standard);
      const unread = [...(preset === "default" ? [] : ["preset"]), ...Object.keys(rest)];
      for (const key of unread)
        custom(key, "environment.module has no such option: leave it out, or write nothing behind it");
      return { ...base, module: environment, options };
    }
    if (options !== undefined) custom("options", "they are for environment.module, which is not given");
    const { module, limits, ...own } = typeof tools === "string" ? { module: tools, limits: undefined } : (tools ?? {});
    const given = { ...base.tools, ...own, limits: { ...base.tools.limits, ...limits } };
    const checked = toolOptionsSchema.safeParse(given);
    for (const issue of checked.error?.issues ?? []) {
      context.addIssue({ code: "custom", message: issue.message, path: ["tools", ...issue.path] });
    }
    return {
      ...base,
      ...withoutUndefined(single),
      tools: { ...(checked.data ?? base.tools), ...(module !== undefined && { module }) },
      scoring: { ...base.scoring, ...withoutUndefined(scoring ?? {}) },
    };
  });

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

const endpoint = z.strictObject({
  endpoint: z
    .string()
    .superRefine((text, context) => {
      const message = endpointProblem(text);
      if (message !== undefined) context.addIssue({ code: "custom", message });
    })
    .describe("Base address of an OpenAI-compatible server, such as http://localhost:8000/v1."),
  model: z.string().min(1).describe("Its name at the endpoint."),
  timeoutMs: z
    .int()
    .min(1)
    .max(LONGEST_TIMEOUT_MS)
    .default(defaultChatOptions.timeoutMs)
    .describe("A request fails after so long."),
  retries: z.int().min(0).max(20).default(defaultChatOptions.retries).describe("Of a failed request, at most."),
  retryDelayMs: z
    .int()
    .min(0)
    .default(defaultChatOptions.retryDelayMs)
    .describe("Before the first retry; it doubles with each."),
  concurrency: z.int().min(1).max(1024).default(defaultChatOptions.concurrency).describe("Requests at a time."),
  maxTokens: z
    .int()
    .min(1)
    .default(defaultChatOptions.maxTokens)
    .describe("Tokens of a reply at most, thinking included."),
  maxTokensName: z
    .enum(["max_tokens", "max_completion_tokens"])
    .optional()
    .describe("What the server calls the limit of a reply."),
  temperature: z.number().min(0).optional().describe("In place of a request's own."),
  apiKeyHeader: z
    .string()
    .regex(headerName)
    .optional()
    .describe("The header that carries the key, bare; default Authorization: Bearer KEY."),
  headers: z
    .record(z.string().regex(headerName), z.string().regex(/^[\t\x20-\x7e]*$/))
    .refine((headers) => !Object.keys(headers).some(isSecretHeader), {
      error:
        "a file holds no keys; the key comes from the environment, under apiKeyHeader where it has a header of its own",
    })
    .optional()
    .describe("Further headers; none that carries a key."),
  query: z.record(z.string(), z.string()).optional().describe("Behind the address, such as Azure's api-version."),
  body: z
    .record(z.string(), z.json())
    .refine((body) => !["model", "messages", "stream"].some((name) => name in body), {
      error: "model, messages and stream are set by the request itself",
    })
    .optional()
    .describe("Further fields of the request's body; null leaves a field out."),
});

/** All of an endpoint that a file may set: its key is left to the caller's environment. */
export const chatOptionsSchema: z.ZodType<Omit<ChatOptions, "apiKey">, unknown> = endpoint;

/** All of a judge that a file may set. */
export const judgeOptionsSchema: z.ZodType<
  Omit<JudgeOptions, "apiKey" | "record" | "recorded">,
  unknown
> = endpoint.extend({
  reading: z
    .enum(["nonce", "vtool_v1", "vtool_v2", "vtool_v2_evaluation"])
    .default(defaultJudgeOptions.reading)
    .describe("How a verdict is asked for and read: by words made for the request, or as the published codes do."),
});

const rate = z.number().min(0).max(1).default(0);

export const nanoChartOptionsSchema: z.ZodType<NanoChartOptions, unknown> = z.strictObject({
  seed: z.int().min(0).default(defaultNanoChartOptions.seed).describe("Of the charts: another one, other charts."),
  size: z.int().min(112).max(2048).default(defaultNanoChartOptions.size).describe("Width and height in pixels."),
  bars: z
    .tuple([z.int().min(3).max(6), z.int().min(3).max(6)])
    .default([...defaultNanoChartOptions.bars])
    .describe("Fewest and most bars."),
  questions: z
    .array(z.enum(["value", "over", "above"]))
    .min(1)
    .default([...defaultNanoChartOptions.questions])
    .describe("Kinds of question."),
  names: z
    .union([z.literal("words"), z.array(z.string().min(1))])
    .optional()
    .describe("Names of bars: words of one token each of the nano models, or a list; default all packaged names."),
  tools: z
    .enum(["fixed", "in_context"])
    .default(defaultNanoChartOptions.tools)
    .describe(
      "The six by their own names; or by names drawn for each chart, whose definitions alone say what they do.",
    ),
  quality: z
    .strictObject({
      wrongAxis: rate.describe("Call the tool of the axis that the chart does not have."),
      noCall: rate.describe("Answer without calling a tool."),
      malformed: rate.describe("Write a program that is none."),
    })
    .prefault({})
    .describe("Rates of demonstrations that are wrong on purpose, for iapo sft."),
  style: z
    .strictObject({
      effects: z
        .union([z.array(z.enum(effects)).min(1), z.literal("by_question")])
        .default([...effects])
        .describe("Effects they use: some of the three, or for each kind of question one."),
      program: z
        .enum(["call", "variable", "defined"])
        .default(defaultNanoChartOptions.style.program)
        .describe("One call in another, a variable between them, or first a comment that says the tool's definition."),
    })
    .prefault({})
    .describe("How demonstrations write what is right in more than one way, for iapo sft."),
});

export interface DataOptions {
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
}

export const dataOptionsSchema: z.ZodType<DataOptions, unknown> = z
  .strictObject({
    format: z.enum(dataFormats).describe("How its rows are written; tasks is the form of this project."),
    path: z.string().min(1).optional().describe("A file, or a folder with all its readable files."),
    hub: z
      .strictObject({
        repository: z.string().min(1).describe("Such as owner/name."),
        revision: z.string().optional().describe("A branch, tag or commit; default main."),
        prefix: z.string().optional().describe("Only files whose path in the repository begins so."),
      })
      .optional()
      .describe("A data set on a hub, in place of path."),
    images: z.string().min(1).optional().describe("The folder that paths of images are relative to."),
    tables: z.string().min(1).optional().describe("The folder that paths of tables are relative to."),
    onBadRow: z
      .enum(["fail", "skip"])
      .default("fail")
      .describe("A row that cannot be read ends the run, or is left out."),
  })
  .refine(({ path, hub }) => (path === undefined) !== (hub === undefined), { error: "give either path or hub" });

export interface DataSettings {
  readonly nanoCharts?: NanoChartOptions | undefined;
  readonly files?: DataOptions | undefined;
  /** Held-out tasks beside `files`; nano-charts have a split of their own. */
  readonly validation?: DataOptions | undefined;
  /** Tasks that training draws from at most. */
  readonly limit?: number | undefined;
}

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

export { visualContentSchema } from "./task.ts";

/** Drops keys whose value is undefined, so that spreading cannot erase a preset's value. */
function withoutUndefined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
