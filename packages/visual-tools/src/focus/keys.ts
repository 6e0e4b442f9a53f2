// Which boxes the names of a call mean (docs/method.md A.4).
import type { Boxes, NamedBox } from "../boxes.ts";
import { VisualToolsError } from "../error.ts";
import type { Geometry, UnknownKey } from "../options.ts";
import type { Names, Scalar } from "../tool.ts";
import type { Action } from "./geometry.ts";
import { boxesByName, boxesBySpelling } from "./spelling.ts";

export type Axis = "columns" | "rows" | "x_values" | "y_values";

/** What a name without a box does in one tool. */
type Lookup = "error" | "ignore" | "fuzzy_first" | "fuzzy_last";

export interface KeyRule {
  readonly lookup: Lookup;
  /** A bare string is read letter by letter, as Python iterates it; else it is one name. */
  readonly lettersOfString: boolean;
  /** Membership of a bare string is "contains", as in Python's `name in "text"`. */
  readonly stringContains: boolean;
  /** Names are compared as Python compares them; else spellings that look alike are one name. */
  readonly asWritten: boolean;
  /** None fails the call; else it means no names. */
  readonly refusesNone: boolean;
}

function publishedLookup(geometry: Geometry, action: Action, axis: Axis): Lookup {
  if (action === "draw" && axis === "y_values") return geometry === "vtool_v2" ? "fuzzy_first" : "fuzzy_last";
  if (geometry === "vtool_v2" || action === "mask" || (action === "highlight" && axis === "x_values")) return "ignore";
  return "error";
}

export function keyRule(unknownKey: UnknownKey, geometry: Geometry, action: Action, axis: Axis): KeyRule {
  if (unknownKey !== "published") {
    const lookup = unknownKey === "fuzzy" ? "fuzzy_first" : unknownKey;
    return {
      lookup,
      lettersOfString: false,
      stringContains: false,
      asWritten: false,
      refusesNone: unknownKey === "error",
    };
  }
  const first = geometry !== "vtool_v2";
  return {
    lookup: publishedLookup(geometry, action, axis),
    lettersOfString: true,
    stringContains: first && action === "mask",
    asWritten: true,
    refusesNone: first,
  };
}

/** @throws VisualToolsError `bad_argument` for None where the rule refuses it */
export function nameList(names: Names, rule: KeyRule): readonly Scalar[] {
  if (typeof names === "string") return rule.lettersOfString ? Array.from(names) : [names];
  if (names !== null) return names;
  if (rule.refusesNone) throw new VisualToolsError("bad_argument", "the names are None; give a list of names");
  return [];
}

function findBox(
  name: Scalar,
  boxes: Boxes,
  boxOf: (name: Scalar) => NamedBox | undefined,
  { lookup }: KeyRule,
): NamedBox | undefined {
  const exact = boxOf(name);
  if (exact !== undefined || lookup === "ignore") return exact;
  if (lookup === "error") {
    throw new VisualToolsError("unknown_key", `no box is called ${JSON.stringify(name)}`);
  }
  if (typeof name !== "string") return undefined;
  const near = (box: NamedBox): boolean => box.name.includes(name) || name.includes(box.name);
  return lookup === "fuzzy_first" ? boxes.find(near) : boxes.findLast(near);
}

/**
 * The boxes that the names mean, in the order of the names, each once.
 *
 * @throws VisualToolsError `unknown_key` where the rule asks for it
 */
export function namedBoxes(names: readonly Scalar[], boxes: Boxes, rule: KeyRule): ReadonlySet<NamedBox> {
  const boxOf = rule.asWritten ? boxesByName(boxes) : boxesBySpelling(boxes);
  const found = new Set<NamedBox>();
  for (const name of names) {
    const box = findBox(name, boxes, boxOf, rule);
    if (box !== undefined) found.add(box);
  }
  return found;
}
