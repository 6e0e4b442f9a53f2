/** Named boxes: what tools of columns and rows work on. */
/** The rectangle of one named column, row, bar or mark; corners in pixels of the original image, `x2`, `y2` inclusive. */
export interface NamedBox {
  readonly name: string;
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** Boxes in reading order. A list, because order counts (the first row is the header) and an object would move the key "7" up. */
export type Boxes = readonly NamedBox[];

/** Which axis divides the picture: a chart has one (vertical bars: columns), a table has both and states none. */
export type Orientation = "columns" | "rows";
