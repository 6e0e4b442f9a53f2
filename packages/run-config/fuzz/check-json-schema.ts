// A second opinion of what a schema takes: JSON Schema as written for editors, read by its keywords alone.
import type { SchemaNode } from "../src/index.ts";

/** The first thing about a value that the schema forbids, with its path; undefined where there is none. */
export function forbidden(schema: SchemaNode, value: unknown, path = ""): string | undefined {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    const answers = choices.map((choice) => forbidden(choice, value, path));
    return answers.includes(undefined) ? undefined : answers[0];
  }
  const no = (what: string): string => `${path}: ${what}`;
  if (schema.const !== undefined && value !== schema.const) return no("not the constant");
  if (schema.enum && !schema.enum.includes(value)) return no("not among the choices");
  switch (schema.type) {
    case "integer":
    case "number":
      return numberProblem(schema, value, no);
    case "string":
      if (typeof value !== "string") return no("no text");
      return value.length < number(schema.minLength, 0) ? no("too short") : undefined;
    case "boolean":
      return typeof value === "boolean" ? undefined : no("no boolean");
    case "null":
      return value === null ? undefined : no("not null");
    case "array": {
      if (!Array.isArray(value)) return no("no list");
      const items = Array.isArray(schema.prefixItems) ? (schema.prefixItems as SchemaNode[]) : [];
      if (items.length > 0 && value.length !== items.length) return no("another length");
      return first(items.map((item, i) => forbidden(item, value[i], `${path}.${i}`)));
    }
    case "object":
      return objectProblem(schema, value, path);
    default:
      return undefined;
  }
}

function numberProblem(schema: SchemaNode, value: unknown, no: (what: string) => string): string | undefined {
  if (typeof value !== "number" || !Number.isFinite(value)) return no("no finite number");
  if (schema.type === "integer" && !Number.isSafeInteger(value)) return no("no whole number");
  if (value < number(schema.minimum, Number.NEGATIVE_INFINITY)) return no("too small");
  if (value > number(schema.maximum, Number.POSITIVE_INFINITY)) return no("too large");
  if (value <= number(schema.exclusiveMinimum, Number.NEGATIVE_INFINITY)) return no("too small");
  return value >= number(schema.exclusiveMaximum, Number.POSITIVE_INFINITY) ? no("too large") : undefined;
}

function objectProblem(schema: SchemaNode, value: unknown, path: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${path}: no mapping`;
  const { properties = {}, required } = schema;
  const names = Object.keys(value);
  const unknown = names.find((name) => !Object.hasOwn(properties, name));
  if (unknown !== undefined) return `${path}.${unknown}: not a key`;
  const missing = Array.isArray(required) ? required.find((name) => !names.includes(String(name))) : undefined;
  if (missing !== undefined) return `${path}.${missing}: missing`;
  return first(
    Object.entries(value).map(([name, inner]) => {
      const next = properties[name];
      return next && forbidden(next, inner, `${path}.${name}`);
    }),
  );
}

function first(answers: readonly (string | undefined)[]): string | undefined {
  return answers.find((answer) => answer !== undefined);
}

function number(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
