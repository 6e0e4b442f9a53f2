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
    const mean = (x: number, y: number, c: number): number => {
      let [sum, count] = [0, 0];
      for (let v = Math.max(0, y - 2); v <= Math.min(height - 1, y + 2); v++)
        for (let u = Math.max(0, x - 2); u <= Math.min(width - 1, x + 2); u++) {
          sum += data[(v * width + u) * channels + c] ?? 0;
          count++;
        }
      return sum / count;
    };
    const blurred = data.map((own, i) => {
      const y = Math.floor(i / (channels * width));
      return isSharp(y) ? own : mean(Math.floor(i / channels) % width, y, i % channels);
    });
    return { ...image, data: blurred };
  },
});

export default (options: ToolOptions): readonly Tool[] => [...focusTools(options), blur];
