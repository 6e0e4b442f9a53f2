// onnxruntime-web on its WebGPU execution provider, inputs and outputs kept on the device.
import { readFileSync } from "node:fs";
import type * as OnnxRuntime from "onnxruntime-web/webgpu";
import { installNavigator } from "../harness/dawn.ts";
import type { Arrays, Peer, Prepared } from "../harness/types.ts";
import type { AttentionCase } from "../workloads/attention.ts";
import type { MatmulCase } from "../workloads/matmul.ts";
import { attentionModel, type Model, matmulModel } from "./onnx-model.ts";

installNavigator();
copySharedBeforeWriting();
const ort = (await import("onnxruntime-web/webgpu")) as typeof OnnxRuntime;
const distribution = new URL("../node_modules/onnxruntime-web/dist/", import.meta.url);
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = readFileSync(new URL("ort-wasm-simd-threaded.asyncify.wasm", distribution))
  .buffer as ArrayBuffer;
ort.env.logLevel = "error";

/** Dawn's Node binding refuses views of a SharedArrayBuffer, which is what the runtime's heap is even with one thread. */
function copySharedBeforeWriting(): void {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, bufferOffset, data, dataOffset = 0, size?: number) {
    const view = ArrayBuffer.isView(data) ? data : new Uint8Array(data);
    const unit = "BYTES_PER_ELEMENT" in view ? (view.BYTES_PER_ELEMENT as number) : 1;
    const bytes = size === undefined ? view.byteLength - dataOffset * unit : size * unit;
    const copy = new Uint8Array(bytes);
    copy.set(new Uint8Array(view.buffer, view.byteOffset + dataOffset * unit, bytes));
    writeBuffer.call(this, buffer, bufferOffset, copy);
  };
}

async function prepare({ bytes, inputs, output }: Model, arrays: Arrays): Promise<Prepared> {
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ["webgpu"],
    preferredOutputLocation: "gpu-buffer",
  });
  const device = (await ort.env.webgpu.device) as GPUDevice;
  const feeds: Record<string, OnnxRuntime.Tensor> = {};
  const buffers: GPUBuffer[] = [];
  for (const [name, dims] of Object.entries(inputs)) {
    const values = arrays[name] as Float32Array<ArrayBuffer>;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = device.createBuffer({ size: values.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, values);
    buffers.push(buffer);
    feeds[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: [...dims] });
  }
  let last: OnnxRuntime.Tensor | undefined;
  return {
    async run() {
      const outputs = await session.run(feeds);
      last?.dispose();
      last = outputs[output] as OnnxRuntime.Tensor;
    },
    async finish() {
      await device.queue.onSubmittedWorkDone(); // not politely: the runtime itself waits in the same loop
    },
    async outputs() {
      return { [output]: new Float32Array((await last?.getData()) as Float32Array) };
    },
    dispose() {
      last?.dispose();
      for (const buffer of buffers) buffer.destroy();
      void session.release();
    },
  };
}

export const peer: Peer = {
  versions: { "onnxruntime-web": ort.env.versions.web ?? "unknown" },
  workloads: {
    matmul: (of: MatmulCase, arrays: Arrays) => prepare(matmulModel(of), arrays),
    attention: (of: AttentionCase, { q, ...rest }: Arrays) =>
      prepare(attentionModel(of), { ...rest, q: (q as Float32Array<ArrayBuffer>).map((x) => x / Math.sqrt(of.D)) }),
  },
};
