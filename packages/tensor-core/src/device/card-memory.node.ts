// What the system says of a graphics card's memory. WebGPU itself does not tell.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import type { AdapterFacts } from "./facts.ts";

const MIB = 2 ** 20;
/** Of a unified memory, what the system lets the GPU have. */
const UNIFIED_SHARE = 0.75;
/** A card with less of its own draws on the machine's memory. */
const SMALLEST_CARD = 2 ** 31;

/** Bytes, or undefined where nobody says. Of several cards with the same right to be meant, the smallest. */
export function cardMemory({ vendor, device }: Pick<AdapterFacts, "vendor" | "device">): number | undefined {
  if (process.platform === "darwin") return totalmem() * UNIFIED_SHARE;
  const sizes = /nvidia/i.test(vendor) ? nvidiaMemory(device) : /amd/i.test(vendor) ? amdMemory() : [];
  return sizes.length > 0 ? Math.min(...sizes) : undefined;
}

function nvidiaMemory(device: string): number[] {
  let text: string;
  try {
    const query = ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"];
    text = execFileSync("nvidia-smi", query, { encoding: "utf8", timeout: 5000, stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return []; // not installed in this container, or it hangs
  }
  return parseNvidiaSmi(text, device);
}

/** Bytes of the cards called `device`, or of all where none is. */
export function parseNvidiaSmi(text: string, device: string): number[] {
  const cards = text.split("\n").flatMap((line) => {
    const [, name = "", mebibytes] = /^(.*), *(\d+) *$/.exec(line) ?? [];
    return mebibytes === undefined ? [] : [{ name, bytes: Number(mebibytes) * MIB }];
  });
  const named = cards.filter(({ name }) => name === device);
  return (named.length > 0 ? named : cards).map(({ bytes }) => bytes);
}

export function amdMemory(root = "/sys/class/drm"): number[] {
  const read = (path: string): number => {
    try {
      return Number(readFileSync(path, "utf8"));
    } catch {
      return 0;
    }
  };
  try {
    const sizes = readdirSync(root).flatMap((card) => {
      if (!/^card\d+$/.test(card)) return [];
      const own = read(`${root}/${card}/device/mem_info_vram_total`);
      const shared = own < SMALLEST_CARD ? read(`${root}/${card}/device/mem_info_gtt_total`) : 0;
      return own > 0 ? [own + shared] : [];
    });
    return sizes;
  } catch {
    return [];
  }
}
