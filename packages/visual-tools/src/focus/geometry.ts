// From a named box to the pixels that a tool paints (docs/method.md A.2).
import type { RawImage } from "@iapo/rollout-trace";
import type { NamedBox } from "../boxes.ts";
import { VisualToolsError } from "../error.ts";
import type { Rectangle } from "../image/draw.ts";
import type { Coordinates, Geometry } from "../options.ts";

export type Action = "mask" | "draw" | "highlight";

interface Shape {
  /** Pixels by which a box grows on every side; negative shrinks it. */
  readonly margin: Readonly<Record<Action, number>>;
  /** Whether corners are clamped to the image; the right edge may then be one past the last pixel. */
  readonly clamps: boolean;
  readonly outline: number;
}

const inset: Shape = { margin: { mask: -2, draw: -2, highlight: -2 }, clamps: false, outline: 5 };
const outset: Shape = { margin: { mask: 1, draw: 2, highlight: 2 }, clamps: true, outline: 3 };

export const shapes: Readonly<Record<Geometry, Shape>> = { refocus: inset, vtool_v1: inset, vtool_v2: outset };

/**
 * The rectangle that `action` paints for a box: corners in pixels, moved by the margin, cut toward zero.
 *
 * @throws VisualToolsError `bad_box` where a corner is not finite or the rectangle ends before it starts
 */
export function boxRectangle(
  box: NamedBox,
  image: RawImage,
  action: Action,
  { margin, clamps }: Shape,
  coordinates: Coordinates,
): Rectangle {
  const scaleX = coordinates === "fraction" ? image.width : 1;
  const scaleY = coordinates === "fraction" ? image.height : 1;
  const grow = margin[action];
  let left = Math.trunc(box.x1 * scaleX - grow);
  let top = Math.trunc(box.y1 * scaleY - grow);
  let right = Math.trunc(box.x2 * scaleX + grow);
  let bottom = Math.trunc(box.y2 * scaleY + grow);
  if (![left, top, right, bottom].every(Number.isFinite)) {
    throw new VisualToolsError("bad_box", `the box of "${box.name}" needs four finite numbers x1, y1, x2, y2`);
  }
  if (clamps) {
    left = Math.max(left, 0);
    top = Math.max(top, 0);
    right = Math.min(right, image.width);
    bottom = Math.min(bottom, image.height);
  }
  if (right < left || bottom < top) {
    throw new VisualToolsError("bad_box", `the box of "${box.name}" is too small, reversed or outside of the image`);
  }
  return { left, top, right, bottom };
}
