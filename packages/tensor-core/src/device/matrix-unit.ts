// Tensor cores as WebGPU will one day have them: subgroup matrices, an experiment of Dawn (its feature "chromium-experimental-subgroup-matrix").
import { TensorError } from "../error.ts";

/** Matrices that a subgroup multiplies at once: f16 `[m, k]` by f16 `[k, n]`, sums in f32. */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Of a subgroup. */
  readonly lanes: number;
  /** Subgroups have several sizes here: a kernel must ask for this one. */
  readonly isAskedFor: boolean;
}

const MATRICES = "chromium-experimental-subgroup-matrix";
const SIZE = "subgroup-size-control";

/** What a device must be asked for; of the last it can do without where subgroups have one size. */
export const MATRIX_FEATURES = ["shader-f16", "subgroups", MATRICES, SIZE] as const;

/** Rows and columns of the outputs that a subgroup has, and the least depth of a panel: matrices must divide them. */
export const REGION = { rows: 64, columns: 32, depth: 16 } as const;
/** Subgroups of a workgroup, down and across its tile. */
export const SUBGROUPS = { down: 2, across: 2 } as const;
/** Bytes of workgroup memory that the largest kernel takes. */
const WORKGROUP_BYTES = 32768;
/** Lanes that all vendors with such matrices have; AMD's multiply in subgroups of 32 only. */
const USUAL_LANES = 32;

/** What is read of a GPUDevice. */
interface Readable {
  readonly features: { has(name: string): boolean };
  readonly limits: { readonly maxComputeWorkgroupStorageSize: number };
}

/** What is read of a GPUAdapterInfo. */
interface Info {
  readonly device: string;
  readonly description: string;
  readonly subgroupMinSize?: number | undefined;
  readonly subgroupMaxSize?: number | undefined;
  /** Dawn's, where unsafe APIs are allowed. */
  readonly subgroupMatrixConfigs?: unknown;
}

interface Config {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** The largest matrices that the kernels take. @throws TensorError `no_tensor_cores` that says what is missing */
export function matrixUnitOf({ features, limits }: Readable, info: Info): MatrixUnit {
  const refuse = (reason: string): TensorError =>
    new TensorError(
      "no_tensor_cores",
      `${info.device || info.description}: ${reason}. Kernels of the family "matrix" need tensor cores; without that family every adapter has kernels.`,
    );
  const missing = MATRIX_FEATURES.filter((name) => name !== SIZE && !features.has(name));
  if (missing.length > 0) throw refuse(`the device is without ${missing.join(", ")}`);
  if (limits.maxComputeWorkgroupStorageSize < WORKGROUP_BYTES)
    throw refuse(`a workgroup has ${limits.maxComputeWorkgroupStorageSize} bytes of memory, not ${WORKGROUP_BYTES}`);
  const { lanes, isAskedFor } = lanesOf(features.has(SIZE), info);
  const configs = configsOf(info.subgroupMatrixConfigs);
  const fitting = configs.filter(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === "f16" &&
      resultComponentType === "f32" &&
      REGION.rows % M === 0 &&
      REGION.columns % N === 0 &&
      REGION.depth % K === 0 &&
      lanes > 0 &&
      lanes % N === 0 &&
      (M * N) % lanes === 0,
  );
  const [largest] = fitting.sort((a, b) => b.M * b.N * b.K - a.M * a.N * a.K);
  if (!largest) throw refuse(`its matrices are not f16 with sums in f32 for ${lanes} lanes, but ${told(configs)}`);
  return { m: largest.M, n: largest.N, k: largest.K, lanes, isAskedFor };
}

function lanesOf(hasChoice: boolean, info: Info): { lanes: number; isAskedFor: boolean } {
  const { subgroupMinSize: least = 0, subgroupMaxSize: most = 0 } = info;
  if (least === most) return { lanes: least, isAskedFor: false };
  const isThere = hasChoice && least <= USUAL_LANES && USUAL_LANES <= most;
  return { lanes: isThere ? USUAL_LANES : 0, isAskedFor: isThere };
}

function configsOf(value: unknown): Config[] {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value)) return [];
  return [...(value as Iterable<Config>)];
}

function told(configs: readonly Config[]): string {
  const names = configs.map((c) => `${c.componentType} to ${c.resultComponentType} ${c.M} x ${c.N} x ${c.K}`);
  return names.length > 0 ? names.join(", ") : "none";
}
