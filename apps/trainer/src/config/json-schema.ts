// The configuration as JSON Schema: for editors, and for what this program says about keys.
import { z } from "zod";
import { trainerConfigSchema } from "./schema.ts";

/** As much of a JSON Schema as is read here. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
  readonly enum?: readonly unknown[];
  readonly [keyword: string]: unknown;
}

const root: SchemaNode = z.toJSONSchema(trainerConfigSchema, { io: "input" }) as SchemaNode;

/** JSON Schema (draft 2020-12) of a configuration file. In a file nothing is required: it may extend another. */
export function configJsonSchema(): SchemaNode {
  const { required: _, ...schema } = root;
  const own = { type: "string", description: "A shipped recipe, or a file that this one adds to." };
  return { ...schema, title: "iapo configuration", properties: { extends: own, ...root.properties } };
}

/** The schemas that a path leads to: several where there are alternatives, none where it leads nowhere. */
export function schemasAt(path: readonly PropertyKey[], from: SchemaNode = configJsonSchema()): SchemaNode[] {
  const choices = from.anyOf ?? [from];
  const [key, ...rest] = path;
  if (key === undefined) return [...choices];
  return choices.flatMap((choice) => {
    const next =
      choice.properties && Object.hasOwn(choice.properties, key) ? choice.properties[String(key)] : undefined;
    return next ? schemasAt(rest, next) : [];
  });
}

/** The keys that may stand in the mapping at a path. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  return schemasAt(path).flatMap(({ properties }) => Object.keys(properties ?? {}));
}

/** Every place where a key may stand, as dotted paths. */
export function placesOf(key: string): string[] {
  const search = (node: SchemaNode, path: string): string[] =>
    (node.anyOf ?? [node]).flatMap(({ properties = {} }) =>
      Object.entries(properties).flatMap(([name, child]) => {
        const here = path === "" ? name : `${path}.${name}`;
        return [...(name === key ? [here] : []), ...search(child, here)];
      }),
    );
  return search(configJsonSchema(), "");
}
