// From facts about the adapter to what they mean for the user.
import type { AdapterFacts } from "@iapo/tensor-core";

export interface Finding {
  /** `missing`: nothing runs. `limited`: it works, but. `fine`: as it should be. */
  readonly level: "fine" | "limited" | "missing";
  readonly text: string;
}

const gibibyte = 2 ** 30;
/** Qwen2.5-VL 3B: 3.75 billion weights of two bytes. */
const smallestPublishedModel = 7.5e9;

/** `facts`: of the adapter, or why there is none. */
export function consequences(
  facts: AdapterFacts | string,
  memory: { readonly free: number; readonly budget: number | null },
  parity?: boolean,
): Finding[] {
  if (typeof facts === "string") return [{ level: "missing", text: `nothing can be trained: ${facts}` }];
  const findings: Finding[] = [];
  const say = (level: Finding["level"], text: string): void => void findings.push({ level, text });
  if (facts.software)
    say("limited", "the adapter runs on the CPU: right for the demo, the tests and nano models, slow for larger ones");
  else say("fine", "a GPU");
  if (facts.cardBeside)
    say("limited", `${facts.cardBeside} shows a graphics card, but only this software adapter answered`);
  if (facts.subgroupSize > 0) say("fine", `subgroups of ${facts.subgroupSize} lanes`);
  else
    say(
      "limited",
      "no subgroups of a fixed size: kernels combine partial results in workgroup memory, which is slower",
    );
  if (parity === true) say("fine", "parity: decoding, packed and split kernels agree to the bit");
  if (parity === false)
    say("limited", "no parity: kernels that should agree differ in bits, so training computes old log-probs again");
  if (!facts.features.includes("timestamp-query"))
    say("limited", "no timestamp-query: kernels cannot be timed one by one");
  if (facts.maxBinding < 2 * gibibyte) {
    say("fine", `one binding spans ${size(facts.maxBinding)}: larger matrices are split by rows, by themselves`);
  }
  if (memory.budget === null)
    say(
      "limited",
      "nothing says how much memory the card has: give --memory or IAPO_MEMORY in GiB, or its driver's refusal is the measure",
    );
  const room = memory.budget ?? Number.POSITIVE_INFINITY;
  if (room < smallestPublishedModel) {
    say(
      "limited",
      `${size(room)} for tensors: Qwen2.5-VL 3B, ${size(smallestPublishedModel)} of weights, does not fit; nano models do`,
    );
  }
  return findings;
}

/** Bytes for people. */
export function size(bytes: number): string {
  if (bytes >= gibibyte) return `${(bytes / gibibyte).toFixed(1)} GiB`;
  return bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(0)} MiB` : `${(bytes / 1024).toFixed(0)} KiB`;
}
