// What settings come from: files that extend one another, recipes and --set. Each layer knows which text a setting was written as.

export type Path = readonly PropertyKey[];

/** A place in a text, for a message. */
export interface Place {
  /** Such as `run.yaml:12:3`. */
  readonly name: string;
  readonly line: string;
  /** From 0, within the line. */
  readonly column: number;
  readonly length: number;
  /** Shown before the line, such as its number. */
  readonly label: string;
}

/** What went wrong where. */
export interface Problem {
  readonly message: string;
  readonly place: Place | undefined;
  readonly advice?: string | undefined;
}

export interface Found {
  readonly place: Place;
  /** How many keys of the path the text has. */
  readonly depth: number;
}

export interface Layer {
  /** Plain data. */
  readonly data: unknown;
  /** The absolute directory that paths in it are relative to. */
  readonly base: string;
  /** The text that the deepest known part of a path was written as: of its key, or of its value. */
  locate(path: Path, part: "key" | "value"): Found | undefined;
}

export function isMapping(value: unknown): value is Readonly<Record<PropertyKey, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path; undefined where nothing does. Only own properties count, as keys are whatever a user wrote. */
export function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return value[Number(key)];
    return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, data);
}

/** Where a path was written: in the last layer that holds most of it. */
export function locate(
  path: Path,
  part: "key" | "value",
  layers: readonly Layer[],
): (Found & { readonly layer: Layer }) | undefined {
  let best: (Found & { readonly layer: Layer }) | undefined;
  for (const layer of layers) {
    const found = layer.locate(path, part);
    if (found && found.depth >= (best?.depth ?? 0)) best = { ...found, layer };
  }
  return best;
}

/** The layers on top of one another: mappings are merged key by key, everything else is replaced. */
export function mergeLayers(layers: readonly Layer[]): unknown {
  return layers.reduce<unknown>((below, { data }) => merge(below, data), {});
}

function merge(below: unknown, above: unknown): unknown {
  if (!isMapping(below) || !isMapping(above)) return above;
  const keys = new Set([...Object.keys(below), ...Object.keys(above)]);
  return Object.fromEntries(
    [...keys].map((key) => [
      key,
      Object.hasOwn(above, key) ? merge(valueAt(below, [key]), valueAt(above, [key])) : valueAt(below, [key]),
    ]),
  );
}
