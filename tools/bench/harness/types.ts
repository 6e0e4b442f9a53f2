// What a benchmark is made of: a workload (what is computed, and the right answer) and libraries (who computes it).

/** One row of a benchmark. Plain data. */
export interface Case {
  /** Unique in its workload, such as `NT 1024 f32`. */
  readonly name: string;
  /** GFLOP/s and GB/s count `work` in flops and bytes; the others in steps or tokens. */
  readonly unit: "GFLOP/s" | "GB/s" | "steps/s" | "tokens/s";
  /** Flops, bytes, steps or tokens of one run. */
  readonly work: number;
  /** Which figure of the adapter limits it: `fractionOfPeak` is the fraction of that. */
  readonly bound?: "multiplyAdd" | "copy";
  /** Largest error allowed, relative to the root mean square of the right values. */
  readonly tolerance: number;
  /** A row below its goal carries a profile of its kernels. */
  readonly goal?: { readonly ratioToBestPeer?: number; readonly fractionOfPeak?: number };
}

export type Arrays = Record<string, Float32Array<ArrayBuffer>>;

/** Some elements of one output as they should be, from a reference in f64. */
export interface Probe {
  readonly output: string;
  readonly indices: readonly number[];
  readonly values: readonly number[];
}

/** What is computed, for every library the same. */
export interface Workload<C extends Case = Case> {
  readonly name: string;
  readonly cases: readonly C[];
  /** The inputs of a case, equal in every process. */
  inputs(of: C): Arrays;
  /** The right outputs after one run. */
  expected(of: C): Probe[];
}

export interface KernelTime {
  readonly kernel: string;
  readonly milliseconds: number;
}

/** A case made ready by one library: inputs on the device, nothing run yet. */
export interface Prepared {
  /** Starts one run; may return before the device has done it. */
  run(): void | Promise<void>;
  /** Resolves once the device has done every run started so far. */
  finish(): Promise<void>;
  /** The outputs of the last run, row-major, under the names that the workload's probes use. */
  outputs(): Promise<Arrays>;
  /** Kernels of one run, dearest first, where the library can tell. */
  profile?(): Promise<readonly KernelTime[]>;
  dispose(): void;
}

export interface Library<C extends Case = Case> {
  /** Versions that bear on the result, such as `{ "@tensorflow/tfjs": "4.22.0" }`. */
  readonly versions: Readonly<Record<string, string>>;
  /** Makes a case ready, or returns undefined when the library has no way to do it. */
  prepare(of: C, inputs: Arrays): Promise<Prepared | undefined>;
}

/** The default export of `packages/<package>/bench/<name>.bench.ts`. */
export interface Benchmark<C extends Case = Case> {
  readonly workload: Workload<C>;
  /** Libraries to run beside ours, by their file in peers/; none when left out. */
  readonly peers?: readonly string[];
  /** Other ways of our own, by name: each is measured as a peer is, in a process of its own. */
  readonly baselines?: Readonly<Record<string, () => Promise<Library<C>>>>;
  open(): Promise<Library<C>>;
}

/** What a file in `peers/` exports: how the library does each workload that it can do, by the workload's name. */
export interface Peer {
  readonly versions: Readonly<Record<string, string>>;
  /** True when the library computes on the JavaScript thread too, whose CPU time then counts. */
  readonly usesMainThread?: boolean;
  readonly workloads: Readonly<Record<string, (of: never, inputs: Arrays) => Promise<Prepared | undefined>>>;
}
