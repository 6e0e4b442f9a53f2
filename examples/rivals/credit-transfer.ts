// Credit transfer between the calls of a group, after TAPO (arXiv:2606.05784): a call that also led to a right answer is not to blame for a
// wrong one, so a failing response's negative advantage is taken back from its first turn where a succeeding one made the same call.
import { type AdvantageFunction, advantageFunction } from "@iapo/grpo";

const ofRewards = advantageFunction({ kind: "grpo", scale: "group", epsilon: 1e-6 });

const advantage: AdvantageFunction = (samples) => {
  const callOf = (i: number): string => {
    const [tool] = samples[i]?.trace.toolOutcomes ?? [];
    const named = [...(tool?.keys ?? []), ...(tool?.unknownKeys ?? [])].sort();
    return tool?.status === "ok" ? JSON.stringify([samples[i]?.trace.group, tool.tools, named]) : "";
  };
  const turns = ofRewards(samples);
  const good = new Set(turns.flatMap(([first = 0], i) => (first > 0 ? [callOf(i)] : [])));
  good.delete("");
  return turns.map(([first = 0, ...others], i) => [first < 0 && good.has(callOf(i)) ? 0 : first, ...others]);
};
export default advantage;
