// Reads oracle tensors from safetensors fixtures.
import { openSafetensors } from "@iapo/tensor-core/safetensors";

export type Golden = (name: string) => { shape: readonly number[]; values: Float32Array };

/** All tensors of a file as f32 (integers keep their values up to 2^24). */
export async function loadGolden(file: string): Promise<Golden> {
  await using reader = await openSafetensors(file);
  const tensors = new Map<string, { shape: readonly number[]; values: Float32Array }>();
  for (const info of reader.tensors.values()) {
    const bytes = await reader.read(info.name);
    const { buffer } = bytes;
    const values =
      info.dtype === "I32"
        ? new Int32Array(buffer)
        : info.dtype === "F64"
          ? new Float64Array(buffer)
          : new Float32Array(buffer);
    tensors.set(info.name, { shape: info.shape, values: Float32Array.from(values) });
  }
  return (name) => {
    const found = tensors.get(name);
    if (!found) throw new Error(`no oracle tensor ${name} in ${file}`);
    return found;
  };
}
