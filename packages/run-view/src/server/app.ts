// The addresses of the viewer.
import { type Context, Hono } from "hono";
import { type Comparison, comparePage, comparisons } from "../pages/compare.ts";
import { fleetPage } from "../pages/fleet.ts";
import { runPage } from "../pages/run.ts";
import { runsPage } from "../pages/runs.ts";
import { studiesPage } from "../pages/studies.ts";
import { findStudies, readPicture } from "../runs/study-files.ts";
import type { AppParts } from "./app-parts.ts";
import { chosenRuns } from "./chosen.ts";
import { addCurves } from "./curve-routes.ts";
import { addEpisodes } from "./episode-routes.ts";
import { events } from "./events.ts";
import { guard } from "./safety.ts";
import { addSteps } from "./step-routes.ts";

export function createApp(parts: AppParts): Hono {
  const { library, assets, directories } = parts;
  const app = new Hono();
  app.use(guard(parts.guard));
  app.get("/assets/:name", (context) => {
    const found = assets.get(context.req.param("name"));
    return found ? context.body(found.content, 200, { "content-type": found.type }) : context.notFound();
  });
  app.get("/events", (context) => events(context, library));
  app.get("/", (context) => context.html(runsPage(library.runs)));
  app.get("/run", async (context) => {
    const [run] = chosenRuns(context, library);
    return run ? context.html(await runPage(run)) : context.notFound();
  });
  app.get("/fleet", async (context) => context.html(await fleetPage(library.runs, chosenRuns(context, library)[0])));
  addCurves(app, parts);
  addEpisodes(app, parts);
  addSteps(app, parts);
  app.get("/compare", (context) => {
    const named = context.req.queries("run")?.flatMap((name) => library.run(name) ?? []) ?? [];
    return context.html(comparePage(library.runs, named, comparisonOf(context)));
  });
  app.get("/studies", async (context) => context.html(await studiesPage(await findStudies(directories))));
  app.get("/study", async (context) => {
    const { pictures } = await findStudies(directories);
    const found = pictures.find(({ name }) => name === context.req.query("file"));
    const content = found && (await readPicture(found));
    if (!content) return context.notFound();
    const type = found.name.endsWith(".svg") ? "image/svg+xml" : "image/png";
    return context.body(new Uint8Array(content), 200, { "content-type": type });
  });
  app.notFound((context) => context.text("there is nothing here\n", 404));
  app.onError((error, context) => context.text(`this page could not be made: ${error.message}\n`, 500));
  return app;
}

function comparisonOf(context: Context): Comparison {
  const shown = context.req.query("show");
  return comparisons.find((one) => one === shown) ?? "first";
}
