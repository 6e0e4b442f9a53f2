// Episodes: their table, each of them, their images, and texts that are too long for a page.
import { readGroup, readKeptPng } from "@iapo/run-report";
import type { Context, Hono } from "hono";
import { episodePage } from "../pages/episode.ts";
import { episodesPage } from "../pages/episodes.ts";
import { readFilter } from "../pages/filter-form.ts";
import { findStudies, heatsOf } from "../runs/study-files.ts";
import type { AppParts } from "./app-parts.ts";
import { chosenRuns, chosenStep, runsNamed, wholeNumber } from "./chosen.ts";

export function addEpisodes(app: Hono, { library, helpers, directories }: AppParts): void {
  app.get("/episodes", (context) => {
    const filter = readFilter(context.req.query());
    const page = wholeNumber(context.req.query("page")) ?? 0;
    return context.html(episodesPage(library.runs, chosenRuns(context, library), filter, page));
  });
  app.get("/episode", async (context) => {
    const found = chosenStep(context, library);
    const place = episodeOf(context);
    if (!found || !place) return context.notFound();
    const list = new URLSearchParams(context.req.query("list"));
    const chosen = list.getAll("run");
    const from = { runs: runsNamed(chosen, library), chosen, filter: readFilter(Object.fromEntries(list)) };
    const tokenTexts = await helpers.tokenTexts?.(found.run.directory).catch(() => undefined);
    const heats = async (task: string) => heatsOf(await findStudies(directories), task);
    const page = await episodePage({ ...found, ...place }, from, tokenTexts, heats);
    return page === undefined ? context.notFound() : context.html(page);
  });
  app.get("/image", async (context) => {
    const found = chosenStep(context, library);
    const image = found?.step.images.get(context.req.query("id") ?? ""); // one that no trace names is none
    const png = found && image && (await readKeptPng(found.run.directory, image));
    if (!png) return context.notFound();
    context.header("cache-control", "private, max-age=86400, immutable"); // its address has the hash of its pixels
    return context.body(new Uint8Array(png), 200, { "content-type": "image/png" });
  });
  app.get("/text", async (context) => {
    const found = chosenStep(context, library);
    const place = episodeOf(context);
    if (!found || !place) return context.notFound();
    const group = await readGroup(found.step, place.group);
    const trace = group?.traces.find(({ sample }) => sample === place.sample);
    const text = trace?.turns[wholeNumber(context.req.query("turn")) ?? -1]?.text;
    return text === undefined ? context.notFound() : context.text(text);
  });
}

function episodeOf(context: Context): { group: number; sample: number } | undefined {
  const [group, sample] = [wholeNumber(context.req.query("group")), wholeNumber(context.req.query("sample"))];
  return group === undefined || sample === undefined ? undefined : { group, sample };
}
