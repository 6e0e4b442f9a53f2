// Random configurations by their JSON Schema, and what spoils them.
import { stringify } from "yaml";
import type { SchemaNode } from "../src/index.ts";
import { forbidden } from "./check-json-schema.ts";

/** A whole number below `below`, from the seed (mulberry32). */
export type Random = (below: number) => number;

export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export function pick<T>(random: Random, first: T, ...others: readonly T[]): T {
  return others[random(others.length + 1)] ?? first;
}

/** A value that the schema takes. */
export function valueFor(schema: SchemaNode, random: Random): unknown {
  const choices = schema.anyOf ?? schema.oneOf;
  const choice = choices?.[random(choices.length)];
  if (choice) return valueFor(choice, random);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[random(schema.enum.length)];
  switch (schema.type) {
    case "integer":
      return 1 + random(1000);
    case "number": {
      const numbers = [0.5, 1.5, 1e-3, 2, 0.25].filter((one) => forbidden(schema, one) === undefined);
      return numbers[random(numbers.length)];
    }
    case "string":
      return pick(random, ".", "a", "1", "no", "null", "0x10", "~", "é");
    case "boolean":
      return random(2) === 0;
    case "array":
      return Array.isArray(schema.prefixItems)
        ? (schema.prefixItems as SchemaNode[]).map((item) => valueFor(item, random))
        : [];
    case "object": {
      const required = Array.isArray(schema.required) ? schema.required : [];
      const entries = Object.entries(schema.properties ?? {}).filter(
        ([name]) => required.includes(name) || random(2) === 0,
      );
      return Object.fromEntries(entries.map(([name, inner]) => [name, valueFor(inner, random)]));
    }
    default:
      return null;
  }
}

/** Replaces one thing somewhere in a value by what hardly any schema takes there. */
export function spoiled(value: unknown, random: Random): unknown {
  if (typeof value === "object" && value !== null && !Array.isArray(value) && random(5) > 0) {
    const entries = Object.entries(value);
    const at = random(entries.length + 1);
    const [name, inner] = entries[at] ?? [foreignKey(random), foreignValue(random)];
    return { ...value, [name]: at < entries.length ? spoiled(inner, random) : inner };
  }
  return foreignValue(random);
}

function foreignKey(random: Random): string {
  return pick(random, "stepz", "constructor", "toString", "extends ", "", "a.b", "learningRate", "\u001b[2J", "1");
}

function foreignValue(random: Random): unknown {
  return pick<unknown>(
    random,
    ...[Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1e300, 2 ** 53, 1.5],
    ...["many", "", "penalise", "NaN", true, null, [], [[]], {}, { a: {} }, { constructor: 1 }],
  );
}

/** The characters of YAML, which a mutation writes. */
const characters = ": -{}[],&*!|>'\"#%@`~?\n\t\\\u0000\u0085\u2028\ufeffa1<=";

/** The text with some characters replaced, repeated, dropped or put in. */
export function mutated(text: string, random: Random): string {
  let result = text;
  for (let left = 1 + random(4); left > 0; left--) {
    const at = random(result.length + 1);
    const length = random(8);
    const written = pick(
      random,
      characters[random(characters.length)] ?? "",
      result.slice(at, at + length).repeat(random(40)),
      "&a *a",
      "!!set ",
      "!!binary ",
      "<<: ",
      "__proto__: ",
      "--- ",
      "[".repeat(random(3000)),
    );
    result = result.slice(0, at) + written + result.slice(at + random(3));
  }
  return result;
}

export function yamlOf(value: unknown, random: Random): string {
  return random(3) === 0 ? JSON.stringify(value) : stringify(value);
}
