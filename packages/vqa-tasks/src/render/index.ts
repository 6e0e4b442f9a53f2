// Charts and tables as pictures with exact boxes. No system font is used.
export { type BarChart, nameFits, renderBarChart } from "./bar-chart.ts";
export { type FontWeight, isDrawable, textWidth } from "./font.ts";
export type { Picture } from "./picture.ts";
export { loadRasterizer, type Rasterizer } from "./rasterizer.ts";
export { type BarChartStyle, barChartStyles, type TableStyle, tableStyles } from "./styles.ts";
export { defaultTableOptions, renderFitting, renderTable, type Table, type TableOptions } from "./table.ts";
