// Tensors on their way from the GPU into a file.
import { type Tensor, toBf16 } from "@iapo/tensor-core";

/** Bytes read back from the GPU at once. */
const PIECE_BYTES = 64 * 2 ** 20;

/** The elements of a tensor, row-major, as a BF16 or F32 file holds them. f32 values are rounded for BF16; bf16 stays as it is. */
export async function* filePieces(tensor: Tensor, dtype: "F32" | "BF16"): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (const { tensor: part } of tensor.parts()) {
    for (let at = 0; at < part.bytes; at += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, part.bytes - at);
      const bytes = await part.device.readBytes(part.storage, part.byteOffset + at, count);
      if (dtype === "BF16" && part.dtype === "f32") yield bytesOf(toBf16(new Float32Array(bytes)));
      else yield new Uint8Array(bytes);
    }
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint16Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
