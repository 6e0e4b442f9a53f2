// The six tools, and one more: it blurs what lies outside of the rows that were named.
import { defineTool, focusTools, type Tool, type ToolOptions } from "@iapo/visual-tools";

const blur = defineTool({
  name: "focus_on_rows_with_blur",
  signature: { names: "names", boxes: "boxes" },
  axis: "rows", // a call on a chart whose bars are columns is misuse
  promptBlock: "focus_on_rows_with_blur(image_1, rows, rows_bbox): blurs all other rows. Returns the edited image.\n",
  run(image, { names, boxes }) {
    const wanted = boxes.filter(({ name }) => (Array.isArray(names) ? names : [names]).includes(name));
    const { width, height, channels, data } = image;
    const isSharp = (y: number): boolean => wanted.length === 0 || wanted.some(({ y1, y2 }) => y >= y1 && y <= y2);
    const value = (x: number, y: number, c: number): number => data[(y * width + x) * channels + c] ?? 0;
    const blurred = data.map((own, i) => {
      const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / (channels * width))];
      if (isSharp(y)) return own;
      const [left, right] = [Math.max(0, x - 2), Math.min(width - 1, x + 2)];
      const [above, below] = [Math.max(0, y - 2), Math.min(height - 1, y + 2)];
      return (value(left, y, c) + value(right, y, c) + value(x, above, c) + value(x, below, c)) / 4;
    });
    return { ...image, data: blurred };
  },
});

export default (options: ToolOptions): readonly Tool[] => [...focusTools(options), blur];
