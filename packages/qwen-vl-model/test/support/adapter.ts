// Adapters that change something: a fresh one has B zero.
import { normal, seededRandom } from "@iapo/tensor-core/testing";
import { Adapter, type AdapterOptions, TEXT_PROJECTIONS } from "../../src/lora/adapter.ts";
import type { QwenVLModel } from "../../src/model/model.ts";

export function activeAdapter(
  { device, config }: QwenVLModel,
  options: AdapterOptions = { rank: 4, alpha: 8, targets: TEXT_PROJECTIONS },
): Adapter {
  const adapter = Adapter.create(device, config, options, [1, 2]);
  for (const [name, { b }] of adapter.pairs) {
    const random = seededRandom(name);
    b.run.write(Float32Array.from({ length: b.run.size }, () => 0.1 * normal(random)));
  }
  return adapter;
}
