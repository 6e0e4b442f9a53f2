// Scores, partitions, distributions, divergences, quadrature and curves on Float64Array. Imports no GPU code.
export { AttributionError, type AttributionErrorCode } from "../error.ts";
export { type BlockReduce, blockScores } from "./block-scores.ts";
export { descendingOrder, normalizedArea, replacedUnits } from "./curves.ts";
export { type DistributionOptions, distribution, type Normalizer } from "./distribution.ts";
export { type Divergence, divergence } from "./divergence.ts";
export { type Partition, type PartitionOptions, partition, tokensOfUnits } from "./partition.ts";
export { type Quadrature, type QuadratureKind, quadrature } from "./quadrature.ts";
export { type Similarity, similarity } from "./similarity.ts";
export { type Numbers, type TokenReduce, tokenScores } from "./token-scores.ts";
