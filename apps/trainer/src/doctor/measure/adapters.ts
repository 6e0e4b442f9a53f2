// What answers on this machine, and all that it offers.
import { createRequire } from "node:module";
import { availableParallelism, loadavg } from "node:os";
import { create } from "webgpu";
import { z } from "zod";
import { listAdapters } from "../../adapter.ts";
import type { PartContext } from "./context.ts";
import type { Found } from "./report.ts";

/** What Dawn adds to an adapter's info behind this flag; nothing is run with it. */
const UNSAFE = "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia";
const matricesSchema = z
  .array(
    z.object({
      componentType: z.string(),
      resultComponentType: z.string(),
      M: z.number(),
      N: z.number(),
      K: z.number(),
    }),
  )
  .catch([]);

/** Dawn's objects must not be collected. */
let gpu: GPU | undefined;

export async function describeAdapters({ device }: PartContext): Promise<Found<"adapters">> {
  const { facts, pool } = device;
  const name = process.env.IAPO_ADAPTER;
  gpu = create([UNSAFE, ...(name ? [`adapter=${name}`] : [])]);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  const info: object = adapter?.info ?? {};
  const matrices = matricesSchema.parse("subgroupMatrixConfigs" in info ? info.subgroupMatrixConfigs : []);
  return {
    device: facts.device,
    vendor: facts.vendor,
    architecture: facts.architecture,
    driver: facts.description,
    software: facts.software,
    family: facts.family,
    subgroups: { least: facts.subgroupMinSize, most: facts.subgroupMaxSize },
    adapters: await listAdapters(),
    features: adapter ? [...adapter.features].map(String).sort() : [],
    limits: adapter ? limitsOf(adapter.limits) : {},
    matrices: matrices.map(
      ({ componentType, resultComponentType, M, N, K }) =>
        `${componentType} to ${resultComponentType}, ${M} x ${N} x ${K}`,
    ),
    budget: Number.isFinite(pool.budget) ? pool.budget : null,
    dawn: z.object({ version: z.string() }).parse(createRequire(import.meta.url)("webgpu/package.json")).version,
    load: (loadavg()[0] ?? 0) / availableParallelism(),
  };
}

/** The names are the prototype's. */
function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const values: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") values[name] = value;
  }
  return values;
}
