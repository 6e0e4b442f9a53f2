// Safetensors files: a streaming reader that believes nothing and an atomic writer. No GPU code; Node only.
// @module
export { bytesPerElement, type SafetensorsDtype, tensorByteLength } from "./dtype.ts";
export { SafetensorsError, type SafetensorsFault } from "./error.ts";
export { MAX_HEADER_BYTES, type TensorDescription, type TensorInfo } from "./header.ts";
export { MAX_PIECE_BYTES, openSafetensors, type PieceOptions, SafetensorsReader } from "./reader.ts";
export {
  type TensorSource,
  type WriteOptions,
  type WriteShardsOptions,
  writeSafetensors,
  writeSafetensorsShards,
} from "./writer.ts";
