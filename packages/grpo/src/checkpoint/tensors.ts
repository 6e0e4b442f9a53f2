// Tensors to and from a safetensors file, in pieces: what is larger than a binding streams row part by row part.
import { Tensor } from "@iapo/tensor-core";
import { openSafetensors, writeSafetensors } from "@iapo/tensor-core/safetensors";
import { GrpoError } from "../error.ts";

/** f32 tensors by name. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

/** Values of an f32 tensor that were read back. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const PIECE_BYTES = 64 * 2 ** 20;

/** Writes the file whole or not at all, and to the disk. */
export async function writeTensors(file: string, tensors: ReadonlyMap<string, Tensor | HostTensor>): Promise<void> {
  await writeSafetensors(
    file,
    Array.from(tensors, ([name, tensor]) => ({
      name,
      dtype: "F32" as const,
      shape: tensor.shape,
      data: () => bytesOf(tensor),
    })),
  );
}

async function* bytesOf(tensor: Tensor | HostTensor): AsyncGenerator<Uint8Array> {
  if (!(tensor instanceof Tensor)) {
    const { buffer, byteOffset, byteLength } = tensor.values;
    yield new Uint8Array(buffer, byteOffset, byteLength);
    return;
  }
  for (const { tensor: part } of tensor.parts()) {
    for (let at = 0; at < part.bytes; at += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, part.bytes - at);
      yield new Uint8Array(await part.device.readBytes(part.storage, part.byteOffset + at, count));
    }
  }
}

/** Checks that the file holds just these tensors; reads no data. @throws GrpoError `checkpoint`, SafetensorsError */
export async function checkTensors(file: string, tensors: NamedTensors): Promise<void> {
  await using reader = await openSafetensors(file);
  const wrong = (problem: string): GrpoError =>
    new GrpoError(
      "checkpoint",
      `${file} does not fit this run: ${problem}; resume with the model and adapter it was made with`,
    );
  for (const [name, { shape }] of tensors) {
    const info = reader.tensors.get(name);
    if (!info) throw wrong(`it holds no ${name}`);
    if (info.dtype !== "F32" || String(info.shape) !== String(shape))
      throw wrong(`${name} is ${info.dtype} [${info.shape}], not F32 [${shape}]`);
  }
  for (const name of reader.tensors.keys()) if (!tensors.has(name)) throw wrong(`it holds ${name}`);
}

/** Fills the tensors from a file that `checkTensors` has passed. */
export async function readTensors(file: string, tensors: NamedTensors): Promise<void> {
  await using reader = await openSafetensors(file);
  for (const [name, tensor] of tensors) {
    for (const { start, tensor: part } of tensor.parts()) {
      const rows = tensor.shards ? { rows: { start, end: start + part.shape[0]! } } : {};
      let at = 0;
      for await (const piece of reader.pieces(name, rows)) {
        part.device.writeBytes(part.storage, part.byteOffset + at, piece);
        at += piece.byteLength;
      }
    }
  }
}
