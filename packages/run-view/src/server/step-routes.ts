// Steps: their list, each of them, and its replay.
import type { Hono } from "hono";
import { type ReplayedNumber, replayedView } from "../pages/replayed.ts";
import { stepPage } from "../pages/step.ts";
import { stepsPage } from "../pages/steps.ts";
import type { AppParts } from "./app-parts.ts";
import { chosenRuns, chosenStep } from "./chosen.ts";

/** A step may have a million tokens; a page shows thousands of numbers. */
const mostNumbers = 100_000;

export function addSteps(app: Hono, { library, helpers }: AppParts): void {
  app.get("/steps", (context) => context.html(stepsPage(library.runs, chosenRuns(context, library)[0])));
  app.get("/step", async (context) => {
    const found = chosenStep(context, library);
    const canReplay = helpers.replay !== undefined && found?.run.kind === "run" && found.step.isPublished;
    return found ? context.html(await stepPage(found.run, found.step, canReplay)) : context.notFound();
  });
  app.post("/replay", async (context) => {
    const found = chosenStep(context, library);
    const { replay } = helpers;
    if (!found || !replay) return context.notFound();
    const numbers: ReplayedNumber[] = [];
    let problem: string | undefined;
    try {
      await replay(found.run.directory, found.step.step, (number) => {
        if (numbers.length < mostNumbers) numbers.push(number);
      });
    } catch (error) {
      problem = (error as Error).message;
    }
    return context.html(replayedView(numbers, problem).toString());
  });
}
