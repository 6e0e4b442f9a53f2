// Run-time values of the tool language.
import type { RawImage } from "@iapo/rollout-trace";
import type { Boxes, NamedBox } from "../boxes.ts";
import type { Names, Scalar, Tool } from "../tool.ts";

/** A variable-like cell, so that an edit in place shows through every name of the image. */
export type ImageValue = { readonly kind: "image"; image: RawImage };

export type Value =
  | { readonly kind: "scalar"; readonly value: Scalar }
  | { readonly kind: "list"; readonly items: readonly Value[] }
  | { readonly kind: "dict"; readonly entries: ReadonlyMap<Scalar, Value> }
  | { readonly kind: "tool"; readonly tool: Tool }
  | { readonly kind: "display" }
  | ImageValue;

export const none: Value = { kind: "scalar", value: null };

const number = (value: number): Value => ({ kind: "scalar", value });

/** Boxes as the dict of dicts that a program sees. */
export function boxesValue(boxes: Boxes): Value {
  const entries = boxes.map(({ name, x1, y1, x2, y2 }): [Scalar, Value] => [
    name,
    { kind: "dict", entries: new Map(Object.entries({ x1, y1, x2, y2 }).map(([key, value]) => [key, number(value)])) },
  ]);
  return { kind: "dict", entries: new Map(entries) };
}

/** What Python's iteration gives: list items, dict keys, letters of a string; undefined for what cannot be iterated. */
export function iterate(value: Value): readonly Value[] | undefined {
  if (value.kind === "list") return value.items;
  if (value.kind === "dict") return Array.from(value.entries.keys(), (key) => ({ kind: "scalar", value: key }));
  if (value.kind === "scalar" && typeof value.value === "string") {
    return Array.from(value.value, (letter) => ({ kind: "scalar", value: letter }));
  }
  return undefined;
}

/** Names as written, or undefined where the value cannot be names. */
export function namesOf(value: Value): Names | undefined {
  if (value.kind === "scalar") return value.value === null || typeof value.value === "string" ? value.value : undefined;
  const items = iterate(value);
  if (items === undefined || !items.every((item) => item.kind === "scalar")) return undefined;
  return items.map((item) => item.value);
}

function corner(box: ReadonlyMap<Scalar, Value>, name: string): number {
  const value = box.get(name);
  return value?.kind === "scalar" && typeof value.value === "number" ? value.value : Number.NaN;
}

/** A box whose unusable corners are NaN, so that it only fails the tool that uses it. */
export function boxOf(name: string, value: Value): NamedBox {
  const corners = value.kind === "dict" ? value.entries : new Map<Scalar, Value>();
  return {
    name,
    x1: corner(corners, "x1"),
    y1: corner(corners, "y1"),
    x2: corner(corners, "x2"),
    y2: corner(corners, "y2"),
  };
}

/** The boxes of a dict, or undefined where the value is none. Keys that are no strings name no box. */
export function boxesOf(value: Value): Boxes | undefined {
  if (value.kind !== "dict") return undefined;
  return Array.from(value.entries).flatMap(([key, box]) => (typeof key === "string" ? [boxOf(key, box)] : []));
}
