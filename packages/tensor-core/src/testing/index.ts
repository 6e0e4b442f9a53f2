// What tests of this package, and of packages that define ops, need.
export { type ConformanceReport, checkCase, relativeDifference } from "./conformance.ts";
export { withFailingAllocations } from "./failing-allocations.ts";
export { expectNoLeak } from "./leak.ts";
export { checkNonFinite } from "./non-finite.ts";
export { normal, seededRandom } from "./random.ts";
