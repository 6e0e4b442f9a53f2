// The attribution methods as values, and what each gives. A combination that makes no sense has no type.
import type { Baseline, BatchBaseline } from "./baseline.ts";
import type { BlockReduce, QuadratureKind, TokenReduce } from "./math/index.ts";

/** Gradient x embedding, the method of the IAPO paper (docs/method.md F4 and F5). */
export interface GradientTimesEmbedding {
  readonly kind: "grad_x_input";
  /** Default `dot`. */
  readonly tokenReduce?: TokenReduce;
}

/** Integrated gradients (Sundararajan 2017; docs/method.md H.1) of all prompt tokens at once. */
export interface IntegratedGradients {
  readonly kind: "ig";
  /** Default `dot`, for which scores add up to S(prompt) - S(baseline). */
  readonly tokenReduce?: TokenReduce;
  /** Default `mean_by_kind`. */
  readonly baseline?: Baseline;
  /** Default `gauss_legendre`. */
  readonly quadrature?: QuadratureKind;
  /** Default 32. */
  readonly steps?: number;
  /** Steps packed into one pass; default as many as make 2048 prompt tokens. */
  readonly stepsPerPass?: number;
}

/** The Euclidean norm of the gradient by a token's embedding: how sensitive, without a sign. */
export interface GradientNorm {
  readonly kind: "grad_norm";
}

/** S(prompt) - S(prompt without the block); its scores are a block's, no token's, so nothing is left to reduce. */
export interface Occlusion {
  readonly kind: "occlusion";
  /** Default `mean_by_kind`. One of the batch makes scores depend on the prompts that are explained together, and on their order. */
  readonly baseline?: Baseline | BatchBaseline;
  /** Rows of one packed pass; default 16384. */
  readonly rowsPerPass?: number;
}

/** Methods that score every prompt token. */
export type TokenMethod = GradientTimesEmbedding | IntegratedGradients | GradientNorm;

/** Methods that score blocks: from token scores, or occlusion. `blockReduce` is `mean` by default. */
export type BlockMethod = (TokenMethod & { readonly blockReduce?: BlockReduce }) | Occlusion;

/** How well the quadrature did: `delta` = sum of attributions - (S(prompt) - S(baseline)), and |delta| over |S(prompt) - S(baseline)|. */
export interface Convergence {
  readonly delta: number;
  readonly relative: number;
}

/** What one response rests on, token by token. */
export interface TokenAttribution {
  readonly method: TokenMethod["kind"];
  /** S: the sum of the target tokens' log-probs. */
  readonly targetLogProb: number;
  /** [promptTokens] */
  readonly tokenScores: Float64Array;
  /** Of integrated gradients. */
  readonly convergence?: Convergence;
}

/** What one response rests on, block by block. */
export interface BlockAttribution extends Omit<TokenAttribution, "method" | "tokenScores"> {
  readonly method: BlockMethod["kind"];
  /** The units of the partition. */
  readonly names: readonly string[];
  /** [units] */
  readonly blockScores: Float64Array;
  /** [promptTokens]; not of occlusion. */
  readonly tokenScores?: Float64Array;
  /** [units][targets]: what the log-prob of each target token loses without the unit, of the same passes as `blockScores`, which are their sums; of occlusion. */
  readonly targetScores?: readonly Float64Array[];
}
