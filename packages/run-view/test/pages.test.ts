// Every page over runs whose texts are attacks, as an independent HTML parser sees it; filters and comparisons against the traces.
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readStep } from "@iapo/rollout-trace/files";
import { type DefaultTreeAdapterTypes, parse } from "parse5";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openViewer, type Viewer } from "../src/index.ts";
import { makeRecord, makeStep, sharedFolder } from "./support/make-run.ts";

const attacks = [
  `</script><img src=x onerror=alert(1)>`,
  `"><svg onload=alert(1)><a href="javascript:alert(1)">`,
  "\u001b]0;owned\u0007\u001b[31mred\u001b[2J",
  "\u202etxet desrever\u2066\u2028\u2029\u0000\ufffe\ud800",
  `' onmouseover='alert(1)' x='`,
  "__proto__",
];
const long = "<b>ten million</b> ".repeat(600_000);

const root = await sharedFolder();
const runs = join(root, "runs");
let viewer: Viewer;
beforeAll(async () => {
  const evil = (i: number): string => attacks[i % attacks.length] as string;
  for (const name of [`evil"><img src=x onerror=alert(2)>`, "other"]) {
    const directory = join(runs, name);
    await makeRecord(directory, { seed: 1, note: evil(0) }, 4);
    for (let step = 0; step < 3; step++)
      await makeStep(directory, step, {
        groups: attacks.length,
        question: evil(step),
        taskIds: (group) => `${group} ${evil(group)}`,
        text: (group, sample) => (group === 1 && sample === 0 && step === 1 ? long : evil(group)),
        outcome: (group, sample) => (name === "other" ? 0 : group < 4 ? 1 : sample / 2),
        metrics: { [evil(1)]: 1, "reward/outcome": null, [`alarm/${evil(0)}`]: 1 },
      });
    await writeFile(join(directory, "config.yaml"), evil(0));
    await writeFile(join(directory, "case-study.json"), evil(1));
    for (const [task, text] of [`1 ${evil(1)}`, `2 ${evil(2)}`, "none"].entries()) {
      await mkdir(join(directory, `attribution-${task}`));
      await writeFile(join(directory, `attribution-${task}`, "heat.png"), "no picture");
      const said = JSON.stringify({ version: 1, task: text, text: evil(task) });
      await writeFile(join(directory, `attribution-${task}`, "attribution.json"), task === 2 ? evil(0) : said);
    }
    const worker = { host: evil(2), units: 3, milliseconds: 1500, roles: { [evil(3)]: 3 } };
    const counts = {
      units: 3,
      copies: 1,
      redelivered: 0,
      returned: 0,
      messages: 6,
      bytesSent: 1e6,
      bytesReceived: 2e6,
    };
    const shared = { step: 0, ...counts, workers: { [evil(0)]: worker, [evil(1)]: worker } };
    await writeFile(join(directory, "fleet.jsonl"), `${JSON.stringify(shared)}\n${evil(4)}\n`);
    await writeFile(join(directory, "timings.jsonl"), `${JSON.stringify({ step: 0, [`timing_s/${evil(0)}`]: 2 })}\n`);
  }
  viewer = await openViewer({
    directories: [runs],
    replay: async (_, step, onNumber) => {
      onNumber({ what: evil(0), group: 0, sample: step, detail: evil(1), logged: 1, replayed: 2 });
      throw new Error(evil(3));
    },
    tokenTexts: async () => (ids) => Array.from(ids, (id) => evil(id)),
  });
  for (let tries = 0; tries < 200; tries++) {
    const { text } = await get("/");
    if (!text.includes("reading,") && text.match(/ ago</g)?.length === 2) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
afterAll(() => viewer.close());

type Element = DefaultTreeAdapterTypes.Element;

function elementsBelow(node: DefaultTreeAdapterTypes.Node): Element[] {
  if (!("childNodes" in node)) return [];
  return node.childNodes.flatMap((child) => [...("tagName" in child ? [child] : []), ...elementsBelow(child)]);
}

async function get(path: string, init: RequestInit = {}): Promise<{ status: number; type: string; text: string }> {
  const response = await fetch(new URL(path, viewer.url), init);
  return { status: response.status, type: response.headers.get("content-type") ?? "", text: await response.text() };
}

/** Through what a page could run, load or send something that is not the viewer's own. */
function dangers(html: string): string[] {
  const errors: string[] = [];
  const elements = elementsBelow(parse(html, { onParseError: ({ code }) => errors.push(code) }));
  return [
    ...errors,
    ...elements.flatMap(({ tagName, attrs }) => [
      ...(["iframe", "object", "embed", "base", "style", "foreignobject", "use", "meta"].includes(tagName) &&
      !attrs.some(({ value }) => value === "utf-8" || value === "viewport")
        ? [`<${tagName}>`]
        : []),
      ...attrs.flatMap(({ name, value }) => {
        if (name.startsWith("on") || name === "style" || name === "srcdoc") return [`${tagName} ${name}`];
        const loads = ["src", "href", "action", "formaction"].includes(name) || name.endsWith(":href");
        return loads && !/^(?:\/(?!\/)|#)/.test(value) ? [`${tagName} ${name}=${value}`] : [];
      }),
    ]),
  ];
}

const evilRun = encodeURIComponent(`evil"><img src=x onerror=alert(2)>`);

test.each([
  "/",
  "/curves",
  `/run?run=${evilRun}`,
  "/episodes",
  `/episodes?text=${encodeURIComponent(attacks[1]!)}&task=${encodeURIComponent(attacks[0]!)}&from=x&order=evil`,
  `/episode?run=${evilRun}&step=1&group=1&sample=0&list=${encodeURIComponent(`text=${attacks[0]}`)}`,
  `/episode?run=${evilRun}&step=2&group=3&sample=2`,
  `/steps?run=${evilRun}`,
  `/step?run=${evilRun}&step=0`,
  `/fleet?run=${evilRun}`,
  `/compare?run=${evilRun}&run=other&show=all`,
  "/studies",
])("%s is a whole page in which attacks are text", async (path) => {
  const { status, type, text } = await get(path);
  expect([status, type]).toEqual([200, "text/html; charset=UTF-8"]);
  expect(dangers(text)).toEqual([]);
  expect(text).not.toMatch(/(?![\t\n\r])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
  expect(text.length).toBeLessThan(1_500_000); // whatever a turn has
});

test("who did what: units by worker and role, and what went to and fro", async () => {
  const { text } = await get("/fleet?run=other");
  expect(text).toContain("<h2>Who did what</h2>");
  expect(text.match(/<td>50\.0 %<\/td>/g)).toHaveLength(2);
  expect(text).toContain('<th scope="col" class="words">By role</th>'); // words stand left, numbers right
  expect(text).toMatch(
    /<td>0<\/td><td>2<\/td><td>3<\/td><td>1<\/td><td>0<\/td><td>0<\/td><td>6<\/td><td>1<\/td><td>2<\/td>/,
  );
  expect((await get("/run?run=other")).text).toContain("<h3>Workers</h3>");
});

test("the heat that an attribution left for a task is shown in its episodes; elsewhere it is said how it is made", async () => {
  const page = (group: number) => get(`/episode?run=other&step=0&group=${group}&sample=0`);
  const { text } = await page(1);
  const sources = [...text.matchAll(/<img src="(\/study\?file=[^"]*)"/g)].map(([, source]) =>
    decodeURIComponent(source ?? ""),
  );
  expect(sources.map((source) => source.replace(/\+/g, " "))).toEqual(
    [expect.stringContaining("other/attribution-0/heat.png"), expect.stringContaining("evil")].reverse(),
  );
  expect((await page(3)).text).toContain("heat on the picture is drawn for one call by <code>iapo attribute</code>");
});

test("a turn of ten million characters is cut on the page, and whole as plain text", async () => {
  const page = await get(`/episode?run=${evilRun}&step=1&group=1&sample=0`);
  expect(page.text).toMatch(/characters more\)/);
  const [, link] = /href="(\/text\?[^"]*)"/.exec(page.text) ?? [];
  const whole = await get((link ?? "").replaceAll("&amp;", "&"));
  expect(whole.type).toMatch(/^text\/plain/);
  expect(whole.text === long).toBe(true);
});

test("a replay shows logged beside recomputed, and its error as text", async () => {
  const { host } = new URL(viewer.url);
  const { text } = await get("/replay?run=other&step=1", { method: "POST", headers: { origin: `http://${host}` } });
  expect(dangers(`<!doctype html>${text}`)).toEqual([]);
  expect(text).toMatch(/class="differs".*<td>1<\/td><td>2<\/td>/s);
  expect(
    (await get("/replay?run=other&step=9", { method: "POST", headers: { origin: `http://${host}` } })).status,
  ).toBe(404);
});

async function rows(query: string): Promise<string[]> {
  const { text } = await get(`/episodes?run=${evilRun}${query}`);
  const [, count] = /<b id="count">(\d+)<\/b>/.exec(text) ?? [];
  const links = [...text.matchAll(/step=(\d+)&amp;group=(\d+)&amp;sample=(\d+)[^"]*">\d+·/g)];
  expect(links).toHaveLength(Math.min(100, Number(count)));
  return links.map(([, step, group, sample]) => `${step} ${group} ${sample}`);
}

test("each filter gives the episodes that the traces say, in the order asked for", async () => {
  const steps = await Promise.all(
    [0, 1, 2].map((step) =>
      readStep(join(runs, `evil"><img src=x onerror=alert(2)>`, "steps", `step-00000${step}.jsonl`)),
    ),
  );
  const traces = steps.flatMap((step) => step.traces);
  const keys = (wanted: (trace: (typeof traces)[number]) => boolean): string[] =>
    traces.filter(wanted).map(({ step, group, sample }) => `${step} ${group} ${sample}`);
  const same = async (query: string, wanted: Parameters<typeof keys>[0]): Promise<void> => {
    const expected = keys(wanted);
    expect(expected.length).toBeGreaterThan(0);
    expect((await rows(`${query}&order=oldest`)).toSorted(), query).toEqual(expected.toSorted());
  };
  await same("", () => true);
  await same("&from=1&to=1", ({ step }) => step === 1);
  await same("&outcome=right", ({ rewards }) => rewards.outcome === 1);
  await same("&outcome=wrong", ({ rewards }) => rewards.outcome === 0);
  await same("&outcome=between", ({ rewards }) => rewards.outcome === 0.5);
  await same("&misuse=yes", ({ sample }) => sample === 1);
  await same("&status=tool_error&tool=focus_on_rows", () => true);
  await same(`&task=${encodeURIComponent(`2 ${attacks[2]}`)}`, ({ group }) => group === 2);
  await same("&text=TEN+million", ({ step, group, sample }) => step === 1 && group === 1 && sample === 0);
  await same("&alarm=any", () => true);
  expect(await rows("&alarm=none")).toEqual([]);
  expect(await rows("&status=ok")).toEqual([]);
  expect((await rows("")).slice(0, 2)).toEqual(["2 0 0", "2 0 1"]);
  const advantages = await rows("&order=advantage");
  expect(advantages.slice(0, 3).every((key) => key.endsWith(" 2"))).toBe(true);
});

test("two runs on the same tasks: how many each has right, and which", async () => {
  const { text } = await get(`/compare?run=${evilRun}&run=other&show=first`);
  const counts = [...text.matchAll(/show=(\w+)">(\d+)</g)].map(([, which, count]) => [which, Number(count)]);
  expect(counts).toEqual([
    ["both", 0],
    ["first", 4],
    ["second", 0],
    ["neither", 2],
  ]);
  expect((await get(`/compare?run=${evilRun}&run=other&show=neither`)).text.match(/0\.5 /g)).toHaveLength(2);
});

test("of files, only those that traces name and that are what their names say", async () => {
  const directory = join(runs, "other");
  await mkdir(join(directory, "images"), { recursive: true });
  const secret = join(root, "secret.txt");
  await writeFile(secret, "secret");
  await symlink(secret, join(directory, "images", `${"a".repeat(64)}.png`));
  await symlink(secret, join(directory, "diagnosis.svg"));
  for (const id of ["a".repeat(64), "b".repeat(64), "../run", "..%2f..%2fsecret", ""]) {
    const { status, text } = await get(`/image?run=other&step=0&id=${id}`);
    expect([status, text.includes("secret")]).toEqual([404, false]);
  }
  for (const file of ["runs/other/diagnosis.svg", "../secret.txt", "runs/other/run.json", secret]) {
    const { status, text } = await get(`/study?file=${encodeURIComponent(file)}`);
    expect([status, text.includes("secret")]).toEqual([404, false]);
  }
  await writeFile(
    join(root, "runs", "time.svg"),
    `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`,
  );
  const response = await fetch(new URL("/study?file=runs%2Ftime.svg", viewer.url));
  expect(response.headers.get("content-type")).toBe("image/svg+xml");
  expect(response.headers.get("content-security-policy")).toContain("script-src 'self'");
  expect(await response.text()).toBe(await readFile(join(root, "runs", "time.svg"), "utf8"));
});
