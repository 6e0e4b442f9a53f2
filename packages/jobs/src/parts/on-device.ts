// The device of a job: its caller's, or one of its own.
import { type Device, openDevice } from "@iapo/tensor-core";

/** Works on the device that is given, or on one that is opened for the work. @throws TensorError as `openDevice`; what `work` throws */
export async function onDevice<T>(given: Device | undefined, work: (device: Device) => Promise<T>): Promise<T> {
  if (given) return work(given);
  using own = await openDevice();
  return await work(own);
}
