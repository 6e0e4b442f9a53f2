// What is said of a machine's adapters: advice by system, cards that hide, sizes that tools report.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { adviceForSystem, cardInSight } from "../src/device/advice.node.ts";
import { amdMemory, parseNvidiaSmi } from "../src/device/card-memory.node.ts";
import { namesIn } from "../src/device/host.node.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "iapo-advice-"));
});
afterAll(() => rm(folder, { recursive: true }));

test.each([
  [
    "linux",
    'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n',
    false,
    /^On Debian: apt install .*bookworm-backports/,
  ],
  ["linux", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', false, /^On Ubuntu: apt install/],
  ["linux", "ID=fedora\n", false, /^On Fedora: dnf install/],
  ["linux", "ID=manjaro\nID_LIKE=arch\n", false, /^On Arch: pacman/],
  ["linux", "ID=alpine\n", true, /glibc.*NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility/],
  ["linux", "", false, /^Install the Vulkan loader/],
  ["darwin", "", false, /Metal/],
  ["win32", "", false, /D3D12/],
])("advice for %s %j, in a container: %s", (platform, release, isContainer, expected) => {
  const advice = adviceForSystem({ platform, release, isContainer });
  expect(advice).toMatch(expected);
  expect(advice).not.toMatch(/scripts\/|\.\/iapo/);
});

test("a card is seen by its device files or NVIDIA's tool", async () => {
  const [devices, tools] = [join(folder, "dev"), join(folder, "bin")];
  await mkdir(join(devices, "dri"), { recursive: true });
  await mkdir(tools);
  await writeFile(join(devices, "dri", "card0"), "");
  expect(cardInSight(devices, tools)).toBeUndefined();
  await writeFile(join(tools, "nvidia-smi"), "");
  expect(cardInSight(devices, `/nowhere:${tools}`)).toBe(join(tools, "nvidia-smi"));
  await writeFile(join(devices, "dri", "renderD128"), "");
  expect(cardInSight(devices, tools)).toBe(join(devices, "dri", "renderD128"));
  await writeFile(join(devices, "nvidia0"), "");
  expect(cardInSight(devices, tools)).toBe(join(devices, "nvidia0"));
});

test("sizes are those of the card by that name, else of all", async () => {
  const text = "NVIDIA GeForce RTX 4060, 8188\nNVIDIA H200, 143771\n";
  expect(parseNvidiaSmi(text, "NVIDIA H200")).toEqual([143771 * 2 ** 20]);
  expect(parseNvidiaSmi(text, "another")).toEqual([8188 * 2 ** 20, 143771 * 2 ** 20]);
  expect(parseNvidiaSmi("NVIDIA-SMI has failed\n", "NVIDIA H200")).toEqual([]);
  const drm = join(folder, "drm");
  for (const [card, own, shared] of [
    ["card0", 2 ** 29, 2 ** 34],
    ["card1", 2 ** 34, 2 ** 35],
  ] as const) {
    await mkdir(join(drm, card, "device"), { recursive: true });
    await writeFile(join(drm, card, "device", "mem_info_vram_total"), `${own}\n`);
    await writeFile(join(drm, card, "device", "mem_info_gtt_total"), `${shared}\n`);
  }
  await mkdir(join(drm, "card1-DP-1"));
  expect(amdMemory(drm).sort()).toEqual([2 ** 34, 2 ** 29 + 2 ** 34]);
  expect(amdMemory(join(folder, "nothing"))).toEqual([]);
});

test("Dawn's list of adapters is read", () => {
  const text =
    "no suitable backends found\nAvailable adapters:\n * backend: 'vulkan', name: 'llvmpipe (LLVM 15.0.6, 256 bits)'\n * backend: 'vulkan', name: 'NVIDIA H200'\n";
  expect(namesIn(new Error(text))).toEqual(["llvmpipe (LLVM 15.0.6, 256 bits) (vulkan)", "NVIDIA H200 (vulkan)"]);
  expect(namesIn(new Error("something else"))).toEqual([]);
});
