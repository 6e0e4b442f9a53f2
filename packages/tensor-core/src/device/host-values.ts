// Values from the host, in the form that an upload takes.
import { type DType, type HostArray, toBf16 } from "../dtype.ts";

/** The element type of values that come without one. */
export function inferred(values: HostArray[DType] | readonly number[]): DType {
  if (values instanceof Int32Array) return "i32";
  if (values instanceof Uint32Array) return "u32";
  if (values instanceof Uint16Array) return "bf16";
  return "f32";
}

/** Values in the element type. */
export function converted(values: HostArray[DType] | readonly number[], dtype: DType): ArrayBufferView {
  if (dtype === "bf16") return values instanceof Uint16Array ? values : toBf16(values);
  if (dtype === "f32") return values instanceof Float32Array ? values : Float32Array.from(values);
  if (dtype === "i32") return values instanceof Int32Array ? values : Int32Array.from(values);
  return values instanceof Uint32Array ? values : Uint32Array.from(values);
}

/** Dawn refuses views of shared memory: copy those. */
export function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
