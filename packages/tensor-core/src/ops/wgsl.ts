// Shared WGSL text: one definition for all kernels, since equal bits need equal code.
import type { Device } from "../device/device.ts";

/** Threads of a workgroup in element-wise kernels. */
export const THREADS = 64;

/** A two-dimensional grid of workgroups that covers `items` one-dimensional items, `perGroup` each. */
export function grid(device: Device, items: number, perGroup: number = THREADS): [number, number] {
  const groups = Math.ceil(items / perGroup);
  const limit = device.facts.maxWorkgroupsPerDimension;
  if (groups <= limit) return [groups, 1];
  const rows = Math.ceil(groups / limit);
  return [Math.ceil(groups / rows), rows];
}

/** `fn item(group, threads, local)`: the item of a thread under `grid`. */
const itemWgsl = /* wgsl */ `
fn item(group: vec3u, groups: vec3u, local: u32) -> u32 {
  return (group.y * groups.x + group.x) * ${THREADS}u + local;
}`;

/** Entry point head of a kernel with one thread per item, which then has `i`. */
export const perItemHead = /* wgsl */ `${itemWgsl}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = item(group, groups, local);`;
