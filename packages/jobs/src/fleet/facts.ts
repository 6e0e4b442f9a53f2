// What a worker computes with, beside what the learner does: other kernels, code, models or data give other bits.
import type { RunRecord } from "@iapo/grpo/run-directory";
import type { Device } from "@iapo/tensor-core";
import { z } from "zod";
import { packageVersions } from "../run/provenance.ts";

const factsSchema = z.record(z.string().max(1000), z.string().max(1000));

/** By name; what concerns one adapter only begins with `adapter`. */
export type Facts = z.infer<typeof factsSchema>;

export function factsOf(device: Device, content: RunRecord["content"]): Facts {
  const { family, description } = device.facts;
  const prefixed = (prefix: string, entries: Readonly<Record<string, string>>) =>
    Object.entries(entries).map(([name, value]) => [`${prefix} ${name}`, value] as const);
  return Object.fromEntries([
    ["kernels", family],
    ["adapter", description],
    ...prefixed("version of", packageVersions()),
    ...prefixed("content of", content),
  ]);
}

const SHOWN = 6;

/**
 * Why a worker with these facts may not take part; undefined where it may.
 * @param mixed whether other adapters may: then the same bits are not promised
 */
export function refusal(own: Facts, given: unknown, mixed: boolean): string | undefined {
  const parsed = factsSchema.safeParse(given);
  if (!parsed.success) return "it does not say what it computes with";
  const names = [...new Set([...Object.keys(own), ...Object.keys(parsed.data)])].sort();
  const others = names.filter((name) => own[name] !== parsed.data[name] && !(mixed && name === "adapter"));
  if (others.length === 0) return undefined;
  const shown = others.slice(0, SHOWN).map((name) => {
    const [here, there] = [own[name] ?? "nothing", parsed.data[name] ?? "nothing"].map(short);
    return `${name} is ${there}, the learner's ${here}`;
  });
  const more = others.length > SHOWN ? `, and ${others.length - SHOWN} more` : "";
  const advice = others.every((name) => name === "adapter")
    ? "; --mixed of iapo train admits it, without the promise of equal bits"
    : "";
  return `it computes with something else: ${shown.join("; ")}${more}${advice}`;
}

function short(value: string): string {
  return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value;
}
