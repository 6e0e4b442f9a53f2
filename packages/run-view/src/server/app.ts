// The addresses of the viewer.
import { type Context, Hono } from "hono";
import { curveCsv, curveJson, curveOf, curveSvg } from "../pages/curve-data.ts";
import { curvesPage } from "../pages/curves.ts";
import { runPage } from "../pages/run.ts";
import { runsPage } from "../pages/runs.ts";
import type { Library, ViewedRun } from "../runs/library.ts";
import type { Assets } from "./assets.ts";
import { events } from "./events.ts";
import { type Guard, guard } from "./safety.ts";

export interface AppParts {
  readonly library: Library;
  readonly assets: Assets;
  readonly guard: Guard;
}

export function createApp({ library, assets, guard: rules }: AppParts): Hono {
  const app = new Hono();
  app.use(guard(rules));
  app.get("/assets/:name", (context) => {
    const found = assets.get(context.req.param("name"));
    return found ? context.body(found.content, 200, { "content-type": found.type }) : context.notFound();
  });
  app.get("/events", (context) => events(context, library));
  app.get("/", (context) => context.html(runsPage(library.runs)));
  app.get("/run", async (context) => {
    const [run] = chosen(context, library);
    return run ? context.html(await runPage(run)) : context.notFound();
  });
  app.get("/curves", (context) =>
    context.html(curvesPage(library.runs, chosen(context, library), { mean: context.req.query("mean") === "1" })),
  );
  app.get("/data/:file{curve\\.(?:json|svg|csv)}", (context) => {
    const metric = context.req.query("metric") ?? "";
    const chart = curveOf(chosen(context, library), metric, context.req.query("mean") === "1");
    if (!chart) return context.notFound();
    const file = context.req.param("file");
    if (file === "curve.json") return context.json(curveJson(chart));
    const name = `${metric.replace(/[^\w.-]+/g, "-")}.${file.slice(-3)}`;
    context.header("content-disposition", `attachment; filename="${name}"`);
    return file === "curve.svg"
      ? context.body(curveSvg(chart), 200, { "content-type": "image/svg+xml" })
      : context.body(curveCsv(chart), 200, { "content-type": "text/csv; charset=utf-8" });
  });
  app.notFound((context) => context.text("there is nothing here\n", 404));
  app.onError((error, context) => context.text(`this page could not be made: ${error.message}\n`, 500));
  return app;
}

/** The runs that the address names; all where it names none. */
function chosen(context: Context, library: Library): readonly ViewedRun[] {
  const names = context.req.queries("run");
  return names ? names.flatMap((name) => library.run(name) ?? []) : library.runs;
}
