// A small configuration to test with: every kind of value and rule that schemas of configurations use.
import { tmpdir } from "node:os";
import { z } from "zod";
import { type Config, defineConfig, type Renamed } from "../src/index.ts";

const schema = z.strictObject({
  output: z.string().min(1).optional().describe("Where the run is written."),
  model: z.strictObject({ directory: z.string().min(1).describe("A checkpoint.") }),
  data: z.string().optional(),
  hook: z.string().optional(),
  train: z
    .strictObject({
      steps: z.int().min(1).max(1e6).default(100),
      rate: z.number().gt(0).default(0.1),
      clip: z.number().gt(1).nullable().optional(),
      onFailure: z.enum(["drop", "penalize", "stop"]).default("stop"),
      noCall: z.union([z.enum(["zero", "maximum"]), z.number().min(0)]).optional(),
      betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).optional(),
      evaluate: z.strictObject({ every: z.int().min(1) }).optional(),
      schedule: z
        .discriminatedUnion("kind", [
          z.strictObject({ kind: z.literal("constant") }),
          z.strictObject({ kind: z.literal("linear"), floor: z.number().min(0) }),
        ])
        .optional(),
    })
    .prefault({}),
});
export type Settings = z.infer<typeof schema>;

export const renamed: readonly Renamed[] = [
  { key: "train.learningRate", now: "train.rate" },
  { key: "train.folder", now: "output" },
  { key: "train.onFailure", value: "penalise", now: "penalize" },
];

export const base = "model: {directory: .}\n";

/** Whose model directories hold `model.json`. */
export const config: Config<Settings> = defineConfig({
  title: "test configuration",
  schema,
  recipes: new Map([
    ["small", { model: { directory: "." }, train: { steps: 3 } }],
    ["broken", { model: { directory: "." }, train: { steps: 0 } }],
  ]),
  listing: "`test recipes` lists them",
  paths: [
    { path: ["output"] },
    {
      path: ["model", "directory"],
      wants: { noun: "model directory", kind: "folder" },
      names: new Map([["here", tmpdir()]]),
      advice: (path) => (path.endsWith("made") ? "make it by `make it`" : undefined),
    },
    { path: ["data"], wants: { noun: "data file", kind: "file" } },
    { path: ["hook"], wants: { noun: "module", kind: "file" }, module: true },
  ],
  renamed,
  directory: { file: "config.yaml", key: "output" },
});
