// Whether a step has room, with something to spare.

/** `fits` with a tenth of the room to spare, `tight` with less, `no`: it would run out. */
export type Verdict = "fits" | "tight" | "no";

/** The rest is for longer prompts than those of the step that was planned, and for what the driver holds beside tensors. */
const COMFORTABLE_SHARE = 0.9;

/** @param peakBytes most in use at once; @param room bytes that tensors may take */
export function verdictOf(peakBytes: number, room: number): Verdict {
  if (peakBytes <= COMFORTABLE_SHARE * room) return "fits";
  return peakBytes <= room ? "tight" : "no";
}
