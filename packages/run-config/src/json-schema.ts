// A configuration as JSON Schema: for editors, and for what is said about keys.
import { z } from "zod";

/** As much of a JSON Schema as is read here. */
export interface SchemaNode {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly enum?: readonly unknown[];
  readonly [keyword: string]: unknown;
}

/** JSON Schema (draft 2020-12) of what a schema takes. */
export function jsonSchemaOf(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: "input" }) as SchemaNode;
}

/** That of a file, in which nothing is required: it may extend another. */
export function jsonSchemaOfFile(root: SchemaNode, title: string): SchemaNode {
  const { required: _, ...schema } = root;
  const base = { type: "string", description: "A recipe's name, or a file, that this file adds to." };
  return { ...schema, title, properties: { extends: base, ...root.properties } };
}

/** A schema, or the alternatives it consists of. */
function choicesOf(node: SchemaNode): readonly SchemaNode[] {
  return node.anyOf ?? node.oneOf ?? [node];
}

/** The schemas that a path leads to: several where there are alternatives, none where it leads nowhere. */
export function schemasAt(root: SchemaNode, path: readonly PropertyKey[]): SchemaNode[] {
  const [key, ...rest] = path;
  if (key === undefined) return [...choicesOf(root)];
  return choicesOf(root).flatMap(({ properties }) => {
    const next = properties && Object.hasOwn(properties, key) ? properties[String(key)] : undefined;
    return next ? schemasAt(next, rest) : [];
  });
}

/** The keys that may stand in the mapping at a path. */
export function keysAt(root: SchemaNode, path: readonly PropertyKey[]): string[] {
  const keys = schemasAt(root, path).flatMap(({ properties }) => Object.keys(properties ?? {}));
  return [...new Set(keys)];
}

/** Every key of a schema with its dotted path, the outer ones first; a key of several alternatives once for each. */
export function keysOf(root: SchemaNode, within = ""): { readonly path: string; readonly schema: SchemaNode }[] {
  return choicesOf(root).flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([key, schema]) => {
      const path = within === "" ? key : `${within}.${key}`;
      return [{ path, schema }, ...keysOf(schema, path)];
    }),
  );
}
