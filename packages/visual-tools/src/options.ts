// How tool programs are read and run: the options, their limits, and the presets.
/**
 * Which published tool code the six tools draw like (docs/method.md A.2).
 * `refocus` and `vtool_v1` shrink a box by 2 pixels and outline 5 wide; `vtool_v2` grows it, clamps it to the image and outlines 3 wide.
 */
export type Geometry = "refocus" | "vtool_v1" | "vtool_v2";

/** The frame of every box a program sees or writes: absolute pixels, or fractions of width and height. */
export type Coordinates = "pixel" | "fraction";

/**
 * What a name without a box does: fail the call, be left out, take the first box whose name contains it or is contained in it,
 * or whatever the geometry's published code did tool by tool, with its reading of a bare string letter by letter.
 */
export type UnknownKey = "error" | "ignore" | "fuzzy" | "published";

/** How the program is cut out of the response. `plain` is `vtool_v2` with Python's own string escapes instead of deleted backslashes. */
export type Extraction = "plain" | "vtool_v1" | "vtool_v2";

/** Bounds of one program; beyond any of them it is `unsupported`. */
export interface ProgramLimits {
  /** Length of the program in UTF-16 units. */
  readonly characters: number;
  /** Statements executed, loop rounds counted. */
  readonly statements: number;
  /** Depth of nested expressions and loops. */
  readonly nesting: number;
  /** Calls of tools and `display`. */
  readonly calls: number;
  /** Syntax nodes evaluated. */
  readonly steps: number;
  /** Pixels of all images that tools return, summed. */
  readonly pixels: number;
}

export interface ToolOptions {
  readonly geometry: Geometry;
  readonly coordinates: Coordinates;
  readonly unknownKey: UnknownKey;
  readonly extraction: Extraction;
  /** A mask or outline also changes the image it was given, as in the published code; else every tool returns a new one. */
  readonly inPlace: boolean;
  /** A program that never calls `display` shows its last tool call, or else its last image variable. */
  readonly autoDisplay: boolean;
  /**
   * On a chart, the boxes of the wrong axis are empty; else both names hold the boxes of its one axis. A number in 0..1 is the share of charts
   * on which the wrong axis has its boxes: 0 is `true`, 1 is `false`. Which ones follows from the `draw` of a program's input.
   */
  readonly strictOrientation: boolean | number;
  readonly limits: ProgramLimits;
}

const limits: ProgramLimits = {
  characters: 8192,
  statements: 64,
  nesting: 16,
  calls: 32,
  steps: 10_000,
  pixels: 2 ** 26,
};

export const defaultToolOptions: ToolOptions = {
  geometry: "vtool_v2",
  coordinates: "pixel",
  unknownKey: "ignore",
  extraction: "plain",
  inPlace: false,
  autoDisplay: true,
  strictOrientation: false,
  limits,
};

/** The options under which outcomes and pixels equal those of the published code (docs/method.md A, B). */
export const toolPresets: Readonly<Record<Geometry, ToolOptions>> = {
  refocus: {
    ...defaultToolOptions,
    geometry: "refocus",
    coordinates: "fraction",
    unknownKey: "published",
    extraction: "vtool_v1",
    inPlace: true,
    autoDisplay: false,
  },
  vtool_v1: {
    ...defaultToolOptions,
    geometry: "vtool_v1",
    unknownKey: "published",
    extraction: "vtool_v1",
    inPlace: true,
    autoDisplay: false,
  },
  vtool_v2: {
    ...defaultToolOptions,
    geometry: "vtool_v2",
    unknownKey: "published",
    extraction: "vtool_v2",
    inPlace: true,
  },
};
