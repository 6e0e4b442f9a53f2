/** strictOrientation as a share of charts: which ones follows from their ids. */
import { expect, test } from "vitest";
import { environmentOptionsSchema } from "../src/config.ts";
import { createEnvironment } from "../src/environment/environment.ts";
import { createNanoCharts } from "../src/nano/charts.ts";
import { toolProgram } from "../src/nano/demonstrations.ts";

const charts = await createNanoCharts({ seed: 2 });
const many = process.env.IAPO_FULL === "1" ? 400 : 100;

/** Of each chart, whether a call of the wrong axis changes the picture. */
async function changedByWrongAxis(strictOrientation: boolean | number): Promise<boolean[]> {
  const options = environmentOptionsSchema.parse({ tools: { strictOrientation } });
  expect(options.tools.strictOrientation).toBe(strictOrientation);
  const environment = createEnvironment({ options });
  return Promise.all(
    Array.from({ length: many }, async (_, index) => {
      const { task, question } = await charts.chart("train", index);
      const [right, wrong] =
        task.content.orientation === "columns" ? (["columns", "rows"] as const) : (["rows", "columns"] as const);
      const call = async (axis: "columns" | "rows") =>
        (await environment.step(task, { text: toolProgram(axis, "mask", question.names) })).tool!;
      const [good, bad, again] = [await call(right), await call(wrong), await call(wrong)];
      expect(good.changed).toBe(true);
      expect(again).toEqual(bad);
      if (bad.changed) expect(bad.image?.id).toBe(good.image?.id);
      return bad.changed;
    }),
  );
}

test("true and 0: never; false and 1: always, with the same pixels; between: by the chart's id, more charts the larger it is", async () => {
  const none = Array.from({ length: many }, () => false);
  expect(await changedByWrongAxis(true)).toEqual(none);
  expect(await changedByWrongAxis(0)).toEqual(none);
  expect(await changedByWrongAxis(false)).toEqual(none.map(() => true));
  expect(await changedByWrongAxis(1)).toEqual(none.map(() => true));
  const [quarter, half] = [await changedByWrongAxis(0.25), await changedByWrongAxis(0.5)];
  for (const [share, found] of [
    [0.25, quarter],
    [0.5, half],
  ] as const)
    expect(Math.abs(found.filter(Boolean).length / many - share)).toBeLessThan(
      3 * Math.sqrt((share * (1 - share)) / many),
    );
  expect(quarter.every((changed, index) => !changed || half[index])).toBe(true);
});

test("what is no share is refused", () => {
  for (const strictOrientation of [-0.1, 1.1, "half"])
    expect(environmentOptionsSchema.safeParse({ tools: { strictOrientation } }).error?.issues[0]?.path).toEqual([
      "tools",
      "strictOrientation",
    ]);
});
