// iapo view in a real Chromium, over runs of nano models of which one is training meanwhile.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Running, sharedFolder, start } from "../support/iapo.ts";
import { accessibilityFindings, openBrowser, type Watched, watchedPage } from "./browser.ts";
import { attacks, makeEvilRun, trainOn, trainRuns } from "./runs.ts";

vi.setConfig({ testTimeout: 300_000 });

const folder = sharedFolder();

async function textOf(locator: Locator): Promise<string> {
  return (await locator.textContent()) ?? "";
}

test("iapo view prints an address and ends in order; what is no directory is refused", async () => {
  const { child, ended } = start(["view", folder, "--port", "0"]);
  const url = await new Promise<string>((resolve) =>
    child.stdout?.once("data", (chunk) => resolve(String(chunk).trim())),
  );
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(await (await fetch(url)).text()).toContain("There is no run yet");
  child.kill("SIGINT");
  expect(await ended).toMatchObject({ code: 0, err: expect.stringContaining("0 runs found") });
  const refused = await start(["view", join(folder, "none")]).ended;
  expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/none cannot be looked into.*\(missing\)/) });
  expect((await start(["view", folder, "--port", "70000"]).ended).code).toBe(2);
});

describe.runIf(process.env.IAPO_FULL === "1")("in a browser", () => {
  let browser: Browser;
  let training: Running;
  let viewer: Running;
  let origin: string;
  let watched: Watched;
  let page: Page;

  beforeAll(async () => {
    await trainRuns(folder);
    await makeEvilRun(folder);
    viewer = start(["view", folder]);
    origin = await new Promise((resolve) =>
      viewer.child.stdout?.once("data", (chunk) => resolve(String(chunk).trim())),
    );
    training = trainOn(folder);
    browser = await openBrowser();
    watched = await watchedPage(browser, origin);
    page = watched.page;
  }, 900_000);

  afterAll(async () => {
    await browser?.close();
    training?.child.kill("SIGKILL");
    viewer?.child.kill("SIGINT");
    await Promise.all([training?.ended, viewer?.ended]);
  });

  test("the list follows the run at work: each step is there within two seconds", async () => {
    await page.goto("/");
    const row = page.locator("tr", { has: page.locator('a[href="/run?run=at-work"]') });
    await expect.poll(() => row.count(), { timeout: 60_000 }).toBe(1);
    await expect.poll(() => textOf(row), { timeout: 60_000 }).toContain("● training");
    const steps = join(folder, "at-work", "steps");
    await page.locator('input[value="grpo"]').check();
    const delays: number[] = [];
    for (let seen = 0; seen < 3; seen++) {
      const before = await textOf(row);
      await expect.poll(() => textOf(row), { timeout: 90_000, interval: 20 }).not.toBe(before);
      const [, done] = /(\d+) of 500/.exec(await textOf(row)) ?? [];
      const names = (await readdir(steps)).filter((name) => name.includes(String(Number(done) - 1).padStart(6, "0")));
      if (names[0] !== undefined) delays.push(Date.now() - (await stat(join(steps, names[0]))).mtimeMs);
    }
    expect(delays.length).toBeGreaterThan(0);
    expect(Math.max(...delays)).toBeLessThan(2000);
    expect(await page.locator('input[value="grpo"]').isChecked()).toBe(true); // what was chosen stays
    await expect.poll(() => textOf(page.locator("tr", { hasText: "iapo" }).first())).toContain("✓ ended");
  });

  test("curves: values under the pointer, smoothing and zoom in the address, SVG and CSV, means over runs", async () => {
    await page.goto("/curves?run=iapo&run=grpo");
    const figure = page.locator('figure[data-metric="reward/outcome"]');
    const over = figure.locator(".u-over");
    await over.hover({ position: { x: 5, y: 50 } });
    await expect.poll(() => textOf(figure.locator("output"))).toMatch(/step 0: iapo [\d.]+, grpo [\d.]+/);
    await figure.locator(".plot").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => textOf(figure.locator("output"))).toContain("step 1");
    await page.locator('input[name="smooth"]').fill("0.5");
    await page.locator('input[name="log"]').check();
    const box = (await over.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.9, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => page.url()).toMatch(/smooth=0\.5&log=1&x=0\.\d+_1\.\d+/);
    await page.reload();
    expect(await page.locator('input[name="smooth"]').inputValue()).toBe("0.5");
    expect(await page.locator("#whole").isVisible()).toBe(true);
    await page.locator("#whole").click();
    expect(page.url()).not.toContain("x=");
    const svg = await page.request.get((await figure.getByText("SVG").getAttribute("href"))!);
    expect(await svg.text()).toMatch(/^<svg .*<\/svg>\s*$/s);
    const csv = await page.request.get((await figure.getByText("CSV").getAttribute("href"))!);
    expect((await csv.text()).split("\n")[0]).toBe("series,step,reward/outcome,low,high");
    await page.locator('#curve-controls input[name="mean"]').check();
    await page.waitForURL(/mean=1/);
    await page.locator('input[name="find"]').fill("gradient");
    await expect.poll(() => page.locator("figure.curve:visible").count()).toBe(1);
  });

  test("episodes are filtered while one writes; the address leads to the same, and to an episode", async () => {
    await page.goto("/episodes");
    const count = async (): Promise<number> => Number(await textOf(page.locator("#count")));
    await page.locator('#filter select[name="run"]').selectOption("iapo");
    await expect.poll(count).toBe(24);
    await page.locator('#filter select[name="outcome"]').selectOption("wrong");
    await expect.poll(() => page.url()).toContain("outcome=wrong");
    await page.keyboard.press("Escape");
    await page.locator("h1").click();
    await page.keyboard.press("/");
    await page.keyboard.type("display rows");
    await expect.poll(() => page.url()).toContain("text=display+rows");
    const served = await (await fetch(page.url())).text();
    const found = Number(/id="count"[^>]*>([^<]*)</.exec(served)?.[1]);
    await expect.poll(count).toBe(found); // the table follows a moment after the address
    await page.reload();
    expect(await count()).toBe(found);
    await page.goto("/episodes?run=iapo&order=oldest");
    await page.locator("td a").first().click();
    await page.waitForURL(/\/episode\?/);
    expect(await textOf(page.locator("h1"))).toBe("Step 0, group 0, sample 0");
    await page.keyboard.press("j");
    await expect.poll(() => textOf(page.locator("h1"))).toBe("Step 0, group 0, sample 1");
  });

  test("an episode: slider, tokens by color, arithmetic, siblings", async () => {
    await page.goto("/episodes?run=iapo&status=ok&order=oldest");
    await page.locator("td a").first().click();
    await page.waitForURL(/\/episode\?/);
    const slider = page.locator(".chosen .edited input");
    const clip = (): Promise<string> =>
      page.locator(".chosen .before").evaluate((image) => getComputedStyle(image).clipPath);
    expect(await clip()).toContain("50%");
    await slider.fill("80");
    expect(await clip()).toContain("80%");
    const images = page.locator(".chosen .slider img");
    for (const image of await images.all())
      expect(await image.evaluate((one) => (one as HTMLImageElement).naturalWidth)).toBeGreaterThan(0);
    const pieces = page.locator(".chosen .t");
    expect((await pieces.allTextContents()).join("")).toContain("display(");
    const colors = (): Promise<string> =>
      pieces.evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor).join());
    const byLogProb = await colors();
    await page.getByLabel("advantage").check();
    expect(await colors()).not.toBe(byLogProb);
    await page.getByLabel("none").check();
    expect(new Set((await colors()).match(/rgba?\([^)]*\)/g)).size).toBe(1);
    expect(await textOf(page.locator(".chosen .arithmetic"))).toMatch(
      /shaped reward: outcome .* = .*advantage: \(.* = /,
    );
    expect(await page.locator(".chosen svg.chart").count()).toBeGreaterThan(0); // student beside teacher
    expect(await page.locator(".samples .sample").count()).toBe(3);
    await page.locator(".samples h4 a").first().click();
    await page.waitForURL(/sample=1/);
  });

  test("a step: its parts, and its replay equal to the bit", async () => {
    await page.goto("/steps?run=iapo");
    await page.locator("td a").first().click();
    await page.waitForURL(/step=2/);
    for (const heading of ["Time", "Groups", "Packing", "Advantages", "Ratios", "Update and memory"])
      expect(await page.getByRole("heading", { name: heading, exact: true }).count()).toBe(1);
    expect(await textOf(page.locator("#numbers"))).toContain("memory/peak_reserved_gib");
    await page.getByRole("button", { name: "Replay this step" }).click();
    await expect.poll(() => textOf(page.locator("#replayed")), { timeout: 30_000 }).toContain("✓ replayed");
    const column = (place: number): Promise<string[]> =>
      page.locator("#replayed table").first().locator(`tbody td:nth-child(${place})`).allTextContents();
    expect(await column(1)).toEqual(["reward", "penalty", "shapedReward", "advantage", "loss"]);
    expect(await column(3)).toEqual(await column(2)); // as many are equal to the bit as were compared
  });

  test("the workers of a run: who did what, and of a run without, how they come", async () => {
    await page.goto("/fleet?run=grpo");
    expect(await page.getByRole("heading", { name: "Who did what" }).count()).toBe(1);
    const cells = (table: number, column: number): Promise<string[]> =>
      page.locator("#fleet table").nth(table).locator(`tbody td:nth-child(${column})`).allTextContents();
    expect(await cells(0, 4)).toEqual(["100.0 %"]);
    expect((await cells(0, 6)).join()).toMatch(/rollout \d+/);
    expect(await cells(1, 1)).toEqual(["2", "1", "0"]);
    await page.locator('select[name="run"]').selectOption("iapo");
    await page.waitForURL(/run=iapo/);
    expect(await textOf(page.locator("#fleet"))).toContain("iapo train --fleet");
  });

  test("two runs of the same tasks beside each other; keys lead to pages", async () => {
    await page.goto("/compare?run=iapo&run=grpo&show=all");
    expect(await textOf(page.locator("#compared"))).toContain("6 tasks that both have");
    await page.locator('select[name="show"]').selectOption("neither");
    await page.waitForURL(/show=neither/);
    await page.keyboard.press("g");
    await page.keyboard.press("u");
    await page.waitForURL(/\/studies/);
  });

  test("texts that attack are text: nothing runs, nothing is loaded, the window keeps its title", async () => {
    const paths = ["/", "/curves?run=evil", "/run?run=evil", "/episodes?run=evil", "/step?run=evil&step=0"];
    const episodes = [0, 1, 2, 3].flatMap((sample) =>
      [0, 1].map((group) => `/episode?run=evil&step=0&group=${group}&sample=${sample}`),
    );
    for (const path of [...paths, ...episodes]) {
      await page.goto(path);
      expect(await page.title(), path).toMatch(/ · iapo view$/);
      expect(await page.locator("script").count()).toBe(1);
    }
    await page.goto("/episode?run=evil&step=0&group=0&sample=0");
    expect(await textOf(page.locator(".question"))).toBe(attacks[0]);
    const shown = await textOf(page.locator(".chosen"));
    expect(shown).not.toMatch(/(?![\t\n\r])\p{Cc}|\p{Bidi_Control}/u);
  });

  test("every page at 400 and 2,000 pixels, dark and light: nothing runs out of it, nothing serious for axe-core", async () => {
    const paths = [
      ...["/", "/curves?run=iapo&run=grpo", "/run?run=iapo", "/episodes", "/episode?run=iapo&step=1&group=0&sample=0"],
      ...[
        "/fleet?run=grpo",
        "/steps?run=iapo",
        "/step?run=iapo&step=1",
        "/compare?run=iapo&run=grpo&show=all",
        "/studies",
      ],
    ];
    const findings: string[] = [];
    for (const size of [{ width: 400 }, { width: 2000, dark: true }]) {
      const own = await watchedPage(browser, origin, size);
      for (const path of paths) {
        await own.page.goto(path);
        await own.page.waitForTimeout(300);
        const width = await own.page.evaluate(() => document.documentElement.scrollWidth);
        if (width > size.width) findings.push(`${path} is ${width} pixels wide at ${size.width}`);
        findings.push(...(await accessibilityFindings(own.page)));
      }
      findings.push(...own.said);
      await own.page.context().close();
    }
    expect(findings).toEqual([]);
  });

  test("in all of this the console said nothing, and nothing was asked for elsewhere", () => {
    expect(watched.said).toEqual([]);
  });
});
