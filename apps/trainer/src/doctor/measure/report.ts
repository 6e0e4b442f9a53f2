// The file that `iapo doctor --measure` writes: what each part found, as far as it came. Files come from strangers too: they are parsed and bounded.
import { z } from "zod";

const text = z.string().max(2000);
const number = z.number();

const adaptersSchema = z.object({
  /** Facts of the adapter that was chosen. */
  device: text,
  vendor: text,
  architecture: text,
  /** On Vulkan the driver and its version. */
  driver: text,
  software: z.boolean(),
  family: text,
  subgroups: z.object({ least: number, most: number }),
  /** Name and backend of each adapter of the machine. */
  adapters: z.array(text).max(64),
  /** All that the adapter offers, not only what is asked for. */
  features: z.array(text).max(200),
  limits: z.record(text, number),
  /** What tensor cores multiply, where Dawn tells: such as "f16 to f32, 16 x 16 x 16". */
  matrices: z.array(text).max(64),
  /** Bytes that tensors may take. Null where nothing says how much there is. */
  budget: number.nullable(),
  dawn: text,
  /** Of the last minute, over the number of cores, when the measuring began: on a software adapter figures by the clock suffer from it. */
  load: number,
});

const mathsSchema = z.object({
  /** Whether `fma` rounds once, over all arguments. */
  fmaIsExact: z.boolean(),
  /** Whether the compiler makes a fused multiply-add of `a * b + c` by itself. */
  contracts: z.enum(["always", "never", "sometimes"]),
  keepsDenormals: z.boolean(),
  /** Whether lanes of a subgroup are neighbors in the workgroup; null without subgroups. */
  lanesInOrder: z.boolean().nullable(),
  arguments: number,
  /** Largest error by function, in units of the last place of f32. */
  ulps: z.record(text, number),
});

const figureSchema = z.object({ value: number, unit: text });

const conformanceSchema = z.object({
  /** Kernel families that were checked. */
  families: z.array(text).max(4),
  /** Why those of tensor cores were not. */
  withoutTensorCores: text.optional(),
  cases: number,
  /** Cases that there was no time for. */
  left: number,
  /** Largest error of a forward pass, relative to the largest value, and its case. */
  largest: z.object({ error: number, case: text }),
  wrong: z.array(text).max(400),
});

const paritySchema = z.object({
  holds: z.boolean(),
  checks: z.array(z.object({ name: text, holds: z.boolean(), different: number, compared: number })).max(32),
});

const kernelSchema = z.object({
  phase: text,
  kernel: text,
  calls: number,
  /** Microseconds of a call. */
  microseconds: number,
  /** 1e9 a second; of what is bound at most, so an upper bound for kernels that read a part of it. */
  gflops: number,
  gbytes: number,
  /** What the adapter's peaks would allow, over what was measured. */
  fractionOfLimit: number,
});

const kernelsSchema = z.object({
  model: text,
  kernels: z.array(kernelSchema).max(400),
});

const phasesSchema = z.object({
  model: text,
  phases: z
    .array(z.object({ name: text, seconds: number, gflops: number, peakBytes: number, reservedBytes: number }))
    .max(32),
});

const memorySchema = z.object({
  /** Bytes that were allocated and written, and why no more were. */
  held: number,
  ended: z.enum(["refused", "slower", "enough"]),
  /** Milliseconds of writing 256 MiB at first, and at the end. */
  firstWrite: number,
  lastWrite: number,
  /** Bytes that tensors may take by what the system or the user says; null where nobody does. */
  budget: number.nullable(),
});

/** What each part finds, in the order in which they run. */
export const partSchemas = {
  adapters: adaptersSchema,
  maths: mathsSchema,
  peaks: z.record(text, figureSchema),
  parity: paritySchema,
  conformance: conformanceSchema,
  kernels: kernelsSchema,
  phases: phasesSchema,
  memory: memorySchema,
} as const;

export type PartName = keyof typeof partSchemas;
export type Found<Name extends PartName> = z.infer<(typeof partSchemas)[Name]>;
export type KernelRow = z.infer<typeof kernelSchema>;

export const partNames = Object.keys(partSchemas) as PartName[];

/** A part as it ended. */
function partSchema<Schema extends z.ZodType>(found: Schema) {
  return z.discriminatedUnion("state", [
    z.object({ state: z.literal("done"), seconds: number, found }),
    z.object({ state: z.enum(["failed", "timed out"]), seconds: number, reason: z.string().max(8000) }),
  ]);
}

const partsSchema = z.object({
  adapters: partSchema(adaptersSchema).optional(),
  maths: partSchema(mathsSchema).optional(),
  peaks: partSchema(partSchemas.peaks).optional(),
  parity: partSchema(paritySchema).optional(),
  conformance: partSchema(conformanceSchema).optional(),
  kernels: partSchema(kernelsSchema).optional(),
  phases: partSchema(phasesSchema).optional(),
  memory: partSchema(memorySchema).optional(),
});

export const measurementSchema = z.object({
  format: z.literal("iapo-measurement"),
  version: z.literal(1),
  /** Of this program. */
  iapo: text,
  node: text,
  platform: text,
  minutes: number,
  parts: partsSchema,
  verdict: z.array(z.string().max(8000)).max(100),
});

export type Measurement = z.infer<typeof measurementSchema>;
export type Parts = Measurement["parts"];

/** What a part found, if it came to its end. */
export function foundOf<Name extends PartName>(parts: Parts, name: Name): Found<Name> | undefined {
  const part = parts[name];
  return part?.state === "done" ? (part.found as Found<Name>) : undefined;
}
