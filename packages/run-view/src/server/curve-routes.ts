// Curves: the page, and the values of a chart as numbers, SVG and CSV.
import type { Hono } from "hono";
import { curveCsv, curveJson, curveOf, curveSvg } from "../pages/curve-data.ts";
import { curvesPage } from "../pages/curves.ts";
import type { AppParts } from "./app-parts.ts";
import { chosenRuns } from "./chosen.ts";

export function addCurves(app: Hono, { library }: AppParts): void {
  app.get("/curves", (context) =>
    context.html(curvesPage(library.runs, chosenRuns(context, library), { mean: context.req.query("mean") === "1" })),
  );
  app.get("/data/:file{curve\\.(?:json|svg|csv)}", (context) => {
    const metric = context.req.query("metric") ?? "";
    const chart = curveOf(chosenRuns(context, library), metric, context.req.query("mean") === "1");
    if (!chart) return context.notFound();
    const file = context.req.param("file");
    if (file === "curve.json") return context.json(curveJson(chart));
    const name = `${metric.replace(/[^\w.-]+/g, "-")}.${file.slice(-3)}`;
    context.header("content-disposition", `attachment; filename="${name}"`);
    return file === "curve.svg"
      ? context.body(curveSvg(chart), 200, { "content-type": "image/svg+xml" })
      : context.body(curveCsv(chart), 200, { "content-type": "text/csv; charset=utf-8" });
  });
}
