// Colors that readers with any color vision tell apart (Okabe and Ito, 2008), without the yellow, which white paper swallows.
const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b"] as const;

/** After the last color the first one comes again, with dashes. */
export function seriesStyle(index: number): {
  readonly color: string;
  readonly className: string;
  readonly dashes: boolean;
} {
  const place = index % palette.length;
  return { color: palette[place] as string, className: `s${place}`, dashes: index >= palette.length };
}
