// iapo doctor --tune: the fastest of kernels that give equal bits, product by product, kept for later runs on this adapter.
import { knownConfigs, type QwenVLConfig } from "@iapo/qwen-vl-model/config";
import { writeFileAtomic } from "@iapo/rollout-trace/files";
import { keepNotes, type TunedProduct, type TunedRow, tuneProducts } from "@iapo/tensor-core";
import { openAdapter } from "../adapter.ts";
import { ExitCode } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

/** Rows of decoding, of a prompt, and of an update. */
const ROWS = [1, 8, 64, 512, 4096];
const LORA_RANK = 16;

export interface TuneFlags {
  readonly json: boolean;
  readonly file: string | undefined;
}

export async function tune({ json, file }: TuneFlags, io: CliIo): Promise<number> {
  using device = await openAdapter();
  if (device.facts.family === "software") {
    io.out("  nothing to choose: this adapter's family has one kernel for each product");
    return ExitCode.done;
  }
  const rows: TunedRow[] = [];
  const products = [knownConfigs["3B"], knownConfigs["7B"]].flatMap(productsOf);
  const tuning = await tuneProducts(device, products, {
    signal: io.signal,
    onRow: (row) => {
      rows.push(row);
      io.note(lineOf(row));
    },
  });
  const path = keepNotes(device, { tuning });
  const text = JSON.stringify({ adapter: device.facts.device, tuning, rows }, null, 2);
  if (file !== undefined) await writeFileAtomic(file, `${text}\n`);
  if (json && file === undefined) io.out(text);
  else {
    const faster = rows.filter(({ choice }) => choice !== undefined).length;
    io.out(`  ${faster} of ${rows.length} products have a faster kernel of the same bits: ${path}`);
  }
  return ExitCode.done;
}

function lineOf({ layout, dtype, m, n, k, choice, microseconds, before }: TunedRow): string {
  const gain = `${before.toFixed(0)} us${choice === undefined ? "" : `, ${microseconds.toFixed(0)} us with ${choice}`}`;
  return `${layout} ${dtype} ${m} x ${n} x ${k}: ${gain}`;
}

/** Of a layer of the decoder and its adapter, forward for all counts of rows, backward for many. */
function productsOf({ text }: QwenVLConfig): TunedProduct[] {
  const { hiddenSize: h, intermediateSize: i, numAttentionHeads, numKeyValueHeads, headDim } = text;
  const matrices: readonly (readonly [out: number, input: number])[] = [
    [numAttentionHeads * headDim, h],
    [numKeyValueHeads * headDim, h],
    [i, h],
    [h, i],
  ];
  return matrices.flatMap(([n, k]): TunedProduct[] => [
    ...ROWS.map((m): TunedProduct => ({ layout: "nt", dtype: "bf16", m, n, k })),
    { layout: "nn", dtype: "bf16", m: Math.max(...ROWS), n: k, k: n },
    ...ROWS.map((m): TunedProduct => ({ layout: "nt", dtype: "f32", m, n: LORA_RANK, k })),
  ]);
}
