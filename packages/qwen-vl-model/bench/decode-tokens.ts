// Decodes with 3B and an adapter on what adapter there is, and prints what a token takes of the processor: medians of rounds. The weights are undefined.
import { deriveSeed, openDevice } from "@iapo/tensor-core";
import { median, otherThreadsCpu, wholeProcessCpu } from "../../../tools/bench/harness/measure.ts";
import { knownConfigs } from "../src/config.ts";
import { Adapter, QwenVLModel, Session, TEXT_PROJECTIONS, Weights, workloadGroup } from "../src/index.ts";

/** Dispatches are compiled in the first round; the engine is done with its own compiling after some more. */
const [WARM_UP, ROUNDS, TOKENS] = [4, 9, 256];

const batch = Number(process.argv[2]);
const config = knownConfigs["3B"];
const device = await openDevice({ family: "workgroup" });
const model = new QwenVLModel(config, Weights.allocate(device, config, "bf16"));
model.adapter = Adapter.create(device, config, { rank: 16, alpha: 32, targets: TEXT_PROJECTIONS }, [0, 0]);
const { prompt } = workloadGroup(config, { promptTokens: 500, images: [], responses: batch, responseTokens: TOKENS });
const seeds = Array.from({ length: batch }, (_, i) => deriveSeed("decode", i));

const rounds: { tokens: number; dispatches: number; milliseconds: number; ofMainThread: number }[] = [];
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  using session = await Session.open(model, [prompt]);
  await device.idle();
  const before = { dispatches: device.dispatches, whole: wholeProcessCpu(), others: otherThreadsCpu() ?? Number.NaN };
  const turns = await session.generate({
    samples: batch,
    sampling: { temperature: 1 },
    seeds,
    stop: { ids: [], maxTokens: TOKENS },
  });
  await device.idle();
  const milliseconds = wholeProcessCpu() - before.whole;
  const ofOthers = (otherThreadsCpu() ?? Number.NaN) - before.others;
  rounds.push({
    tokens: Math.min(...turns.map(({ tokens }) => tokens.length)),
    dispatches: device.dispatches - before.dispatches,
    milliseconds,
    ofMainThread: milliseconds - ofOthers,
  });
}
const counted = rounds.slice(WARM_UP);
const aToken = (of: "dispatches" | "milliseconds" | "ofMainThread"): number =>
  median(counted.map((round) => round[of])) / TOKENS;
console.log(
  JSON.stringify({
    driver: device.facts.description,
    isSame: counted.every(({ tokens, dispatches }) => tokens === TOKENS && dispatches === counted[0]?.dispatches),
    dispatches: aToken("dispatches"),
    milliseconds: aToken("milliseconds"),
    ofMainThread: aToken("ofMainThread"),
  }),
);
process.exit(0); // a device that runs nothing does not close
