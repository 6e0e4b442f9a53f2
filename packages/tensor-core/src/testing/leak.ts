// The leak assertion: what ran must leave as many bytes in use as it found.
import type { Device } from "../device/device.ts";
import { TensorError } from "../error.ts";

/** Runs `fn` and gives its result. Throws `leak`, with the bytes by tag, where other bytes are live on `device` afterwards than before. */
export async function expectNoLeak<T>(device: Device, fn: () => T | Promise<T>): Promise<T> {
  const before = device.memory();
  const result = await fn();
  const after = device.memory();
  if (after.liveBytes === before.liveBytes) return result;
  const changes = Object.keys({ ...before.byTag, ...after.byTag }).map((tag) => {
    const change = (after.byTag[tag] ?? 0) - (before.byTag[tag] ?? 0);
    return `${tag} ${change > 0 ? "+" : ""}${change}`;
  });
  const bytes = after.liveBytes - before.liveBytes;
  throw new TensorError(
    "leak",
    `${bytes} bytes more are in use than before (${changes.join(", ")}): dispose() or return them`,
  );
}
