// The six focus tools and their twins for chart axes (docs/method.md A).
import type { RawImage } from "@iapo/rollout-trace";
import type { Boxes, NamedBox } from "../boxes.ts";
import { area, clip, fillRectangle, outlineRectangle } from "../image/draw.ts";
import { highlightRectangles } from "../image/highlight.ts";
import { copyImage } from "../image/pixels.ts";
import type { ToolOptions } from "../options.ts";
import { defineTool, type Names, type Tool, type ToolBudget } from "../tool.ts";
import { type Action, boxRectangle, shapes } from "./geometry.ts";
import { type Axis, keyRule, namedBoxes, nameList } from "./keys.ts";

type FocusOptions = Pick<ToolOptions, "geometry" | "coordinates" | "unknownKey">;

const white = [255, 255, 255] as const;
const red = [255, 0, 0] as const;

/** Everything but the named boxes; a table's header row stays. Nothing where no name has a box: that must be a mistake. */
function boxesToMask(names: Names, focused: ReadonlySet<NamedBox>, contains: boolean, boxes: Boxes, axis: Axis): Boxes {
  const candidates = axis === "rows" ? boxes.slice(1) : boxes;
  const isFocused = (box: NamedBox): boolean =>
    contains && typeof names === "string" ? names.includes(box.name) : focused.has(box);
  const masked = candidates.filter((box) => !isFocused(box));
  return masked.length === candidates.length ? [] : masked;
}

/** Charges what it paints: a program can name the whole image many times over in one call. */
function paint(
  image: RawImage,
  action: Action,
  targets: Iterable<NamedBox>,
  options: FocusOptions,
  budget: ToolBudget,
): RawImage {
  const shape = shapes[options.geometry];
  const rectangles = Array.from(targets, (box) => boxRectangle(box, image, action, shape, options.coordinates));
  for (const rectangle of rectangles) budget.spend(area(clip(rectangle, image)));
  if (action === "highlight") return highlightRectangles(image, rectangles);
  const result = copyImage(image);
  for (const rectangle of rectangles) {
    if (action === "mask") fillRectangle(result, rectangle, white);
    else outlineRectangle(result, rectangle, red, shape.outline);
  }
  return result;
}

function focus(
  image: RawImage,
  action: Action,
  axis: Axis,
  names: Names,
  boxes: Boxes,
  options: FocusOptions,
  budget: ToolBudget,
): RawImage {
  const rule = keyRule(options.unknownKey, options.geometry, action, axis);
  const list = nameList(names, rule);
  if (list.length === 0 || boxes.length === 0) return image;
  const focused = namedBoxes(list, boxes, rule);
  if (action === "mask") {
    const masked = boxesToMask(names, focused, rule.stringContains, boxes, axis);
    return masked.length === 0 ? image : paint(image, action, masked, options, budget);
  }
  // The first published code highlights nothing on a new image; the second returns the image itself.
  if (focused.size === 0 && (action === "draw" || shapes[options.geometry].clamps)) return image;
  return paint(image, action, focused, options, budget);
}

const nouns: Readonly<Record<Axis, string>> = {
  columns: "columns",
  rows: "rows",
  x_values: "bars along the x axis",
  y_values: "bars along the y axis",
};

const effects: Readonly<Record<Action, (noun: string) => string>> = {
  highlight: (noun) => `tints the named ${noun} light red`,
  mask: (noun) => `paints all ${noun} white except the named ones`,
  draw: (noun) => `draws a red frame around each of the named ${noun}`,
};

const boxNames: Readonly<Record<Axis, string>> = {
  columns: "columns_bbox",
  rows: "rows_bbox",
  x_values: "columns_bbox",
  y_values: "rows_bbox",
};

function focusTool(axis: Axis, action: Action, options: FocusOptions): Tool {
  const names = `${axis}_to_focus_on`;
  const boxes = `all_${axis}_bounding_boxes`;
  const name = `focus_on_${axis}_with_${action}`;
  const header = action === "mask" && axis === "rows" ? " The first row, the header, always stays." : "";
  return defineTool({
    name,
    signature: { [names]: "names", [boxes]: "boxes" },
    axis: axis === "columns" || axis === "x_values" ? "columns" : "rows",
    promptBlock:
      `${name}(image, ${names}, ${boxes}): ${effects[action](nouns[axis])}.${header} ` +
      `${boxes} is ${boxNames[axis]}. Returns the edited image.\n`,
    editsInPlace: action !== "highlight",
    run: (image, args, budget) =>
      focus(image, action, axis, args[names] as Names, args[boxes] as Boxes, options, budget),
  });
}

const actions: readonly Action[] = ["highlight", "mask", "draw"];

/** The six tools of the paper, in the order of its prompt: columns and rows by highlight, mask and draw. */
export function focusTools(options: FocusOptions): readonly Tool[] {
  return actions.flatMap((action) => (["columns", "rows"] as const).map((axis) => focusTool(axis, action, options)));
}

/** The twins for charts. Programs may call them; a prompt usually does not mention them. */
export function chartAxisTools(options: FocusOptions): readonly Tool[] {
  return actions.flatMap((action) =>
    (["x_values", "y_values"] as const).map((axis) => focusTool(axis, action, options)),
  );
}
