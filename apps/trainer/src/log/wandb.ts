// Weights & Biases, offline: a run directory as its own client leaves it in offline mode, which `wandb sync` uploads. Nothing is sent. The file is a
// log of records in LevelDB's framing, each a message of wandb_internal.proto; only what a run with scalars needs is written.
//   Record { num = 1; history = 2; summary = 3; run = 17; exit = 18; header = 21 }      RunRecord { run_id = 1; entity = 2; project = 3; config = 4; display_name = 8 }
//   HistoryRecord { repeated item = 1; step = 2 }   HistoryItem { nested_key = 2; value_json = 16 }   ConfigRecord { repeated update = 1 { key = 1; value_json = 16 } }
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { listSteps, makeDirectory, writeFileAtomic } from "@iapo/rollout-trace/files";
import { readMetrics, type StepMetrics } from "@iapo/run-report";
import { finite, type TrackedRun, type Tracker } from "./run-log.ts";

const BLOCK = 32_768;
const HEADER = 7;

export function wandb(env: NodeJS.ProcessEnv): Tracker {
  const { WANDB_PROJECT: project = "iapo", WANDB_ENTITY: entity = "" } = env;
  return {
    name: "wandb",
    async send() {},
    /** Written whole, from the steps of the run: a resume writes it again. */
    async end(run, done) {
      const folder = join(run.directory, "wandb", `offline-run-${run.id}`);
      const files = await listSteps(join(run.directory, "steps"));
      const steps: StepMetrics[] = [];
      for (const file of files) steps.push(await readMetrics(file));
      await makeDirectory(folder);
      await writeFileAtomic(join(folder, `run-${run.id}.wandb`), offlineRun(run, steps, { project, entity, done }));
    },
  };
}

export function offlineRun(
  { id, name, config }: Pick<TrackedRun, "id" | "name" | "config">,
  steps: readonly StepMetrics[],
  { project, entity, done }: { readonly project: string; readonly entity: string; readonly done: boolean },
): Buffer {
  const settings = typeof config === "object" && config !== null ? Object.entries(config) : [];
  const update = settings
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => message(1, [text(1, key), text(16, JSON.stringify(value))]));
  const run = [text(1, id), text(2, entity), text(3, project), message(4, update), text(8, name)];
  const history = steps.map(({ step, metrics }) =>
    message(2, [
      ...finite({ ...metrics, _step: step }).map(([key, value]) =>
        message(1, [text(2, key), text(16, JSON.stringify(value))]),
      ),
      message(2, [number(1, step)]),
    ]),
  );
  const last = steps.at(-1);
  const summary = last
    ? [
        message(
          3,
          finite(last.metrics).map(([key, value]) => message(1, [text(2, key), text(16, JSON.stringify(value))])),
        ),
      ]
    : [];
  const version = message(21, [message(1, [text(1, "0.31.0"), text(2, "0.0.0")])]);
  const records = [version, message(17, run), ...history, ...summary, ...(done ? [message(18, [])] : [])];
  return framed(records.map((record, i) => Buffer.concat([number(1, i), record])));
}

/** LevelDB's log: blocks of 32 KiB, records cut where a block ends, zeros where no header fits; CRC-32 over type and data. */
function framed(records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(HEADER);
  head.write(":W&B", 0, "latin1");
  head.writeUInt16LE(0xbee1, 4);
  const parts: Buffer[] = [head];
  let at = head.length;
  const put = (part: Buffer): void => {
    parts.push(part);
    at += part.length;
  };
  for (const record of records) {
    let start = 0;
    while (start < record.length) {
      const room = BLOCK - (at % BLOCK);
      if (room <= HEADER) {
        put(Buffer.alloc(room)); // what is too short for a header and a byte stays empty
        continue;
      }
      const piece = record.subarray(start, start + room - HEADER);
      const [isFirst, isLast] = [start === 0, start + piece.length === record.length];
      const type = isFirst ? (isLast ? 1 : 2) : isLast ? 4 : 3;
      const header = Buffer.alloc(HEADER);
      header.writeUInt32LE(crc32(piece, crc32(Buffer.of(type))), 0);
      header.writeUInt16LE(piece.length, 4);
      header.writeUInt8(type, 6);
      put(header);
      put(piece);
      start += piece.length;
    }
  }
  return Buffer.concat(parts);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Buffer.from([...bytes, rest]);
}

const number = (field: number, value: number): Buffer => Buffer.concat([varint(field * 8), varint(value)]);

function delimited(field: number, content: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(content.length), content]);
}

const text = (field: number, value: string): Buffer => delimited(field, Buffer.from(value));
const message = (field: number, parts: readonly Buffer[]): Buffer => delimited(field, Buffer.concat(parts));
