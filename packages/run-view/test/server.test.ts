// The server as others on this machine and elsewhere could talk to it.
import { mkdir } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openViewer, type Viewer } from "../src/index.ts";
import { makeRecord, makeStep, sharedFolder } from "./support/make-run.ts";

const root = await sharedFolder();
let viewer: Viewer;
beforeAll(async () => {
  await makeRecord(join(root, "runs", "a-seed-1"), { seed: 1, rate: 2 }, 3);
  await makeRecord(join(root, "runs", "a-seed-2"), { seed: 2, rate: 2 });
  for (let step = 0; step < 3; step++) {
    await makeStep(join(root, "runs", "a-seed-1"), step, {
      metrics: { "reward/outcome": step, "alarm/group_collapse": 1 },
    });
    await makeStep(join(root, "runs", "a-seed-2"), step, {
      metrics: { "reward/outcome": step + 1, "alarm/group_collapse": 0 },
    });
  }
  viewer = await openViewer({ directories: [join(root, "runs")] });
  await ready(viewer);
});
afterAll(() => viewer.close());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** With headers that `fetch` would not send. */
function ask(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, method, insecureHTTPParser: true }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Until all steps of both runs are read. */
async function ready({ url }: Viewer): Promise<void> {
  for (;;) {
    const { text } = await ask(url);
    if (!text.includes("reading,") && text.match(/ ago</g)?.length === 2) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("runs are listed with their state and figures; one that has all its steps has ended", async () => {
  const { text } = await ask(viewer.url);
  expect(text).toContain("a-seed-1");
  expect(text).toContain("3 of 3");
  expect(text.match(/✓ ended/g)).toHaveLength(2);
  expect(text).toContain("group_collapse");
});

test("a chart's values are those of the step files, by run or as mean and band over seeds", async () => {
  const at = (file: string, more = "") => ask(`${viewer.url}data/curve.${file}?metric=reward/outcome${more}`);
  const each = JSON.parse((await at("json")).text);
  expect(each.series.map(({ name, x, y }: { name: string; x: number[]; y: number[] }) => [name, x, y])).toEqual([
    ["a-seed-1", [0, 1, 2], [0, 1, 2]],
    ["a-seed-2", [0, 1, 2], [1, 2, 3]],
  ]);
  const [one] = JSON.parse((await at("json", "&mean=1")).text).series;
  expect(one.name).toBe("a (2 seeds, ±1 sd)");
  expect(one.y).toEqual([0.5, 1.5, 2.5]);
  expect(one.high[0] - one.y[0]).toBeCloseTo(Math.SQRT1_2, 12);
  expect((await at("csv", "&run=a-seed-1")).text).toBe(
    "series,step,reward/outcome,low,high\na-seed-1,0,0,,\na-seed-1,1,1,,\na-seed-1,2,2,,\n",
  );
  const svg = await at("svg");
  expect(svg.headers["content-type"]).toBe("image/svg+xml");
  expect(svg.text).toMatch(/^<svg [^>]*aria-label="Outcome reward/);
  expect((await at("json", "&run=none")).text).toContain('"series":[]');
});

test("what every answer carries: no script or style but the server's, no sniffing, no frame, no referrer", async () => {
  for (const path of [
    "",
    "curves",
    "run?run=a-seed-1",
    "assets/view.js",
    "nothing",
    "data/curve.svg?metric=reward/outcome",
  ]) {
    const { headers } = await ask(viewer.url + path);
    expect(headers["content-security-policy"]).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    );
    expect(headers["x-content-type-options"]).toBe("nosniff");
    expect(headers["referrer-policy"]).toBe("no-referrer");
    expect(headers["access-control-allow-origin"]).toBeUndefined();
  }
  const page = (await ask(`${viewer.url}curves`)).text;
  expect(page).not.toMatch(/<script(?! type="module" src="\/assets\/view\.js"><\/script>)|<style|style="|\son\w+=/);
});

test.each([
  ["a name that another site points here", { host: "evil.example" }, 421],
  ["a name that only looks like ours", { host: "127.0.0.1.evil.example" }, 421],
  ["a name and more", { host: "localhost@evil.example" }, 400],
  ["another address of this machine", { host: "192.168.0.7:80" }, 421],
  ["our own", { host: "localhost:1" }, 200],
  ["our own in IPv6", { host: "[::1]:1" }, 200],
])("asked by %s: %o gives %i", async (_, headers, status) => {
  expect((await ask(viewer.url, headers)).status).toBe(status);
});

test("writing asks for the page's own origin; other methods are refused", async () => {
  const { host } = new URL(viewer.url);
  expect((await ask(viewer.url, {}, "POST")).status).toBe(403);
  expect((await ask(viewer.url, { origin: "http://evil.example" }, "POST")).status).toBe(403);
  expect((await ask(viewer.url, { origin: `http://${host}` }, "POST")).status).toBe(404);
  for (const method of ["PUT", "DELETE", "OPTIONS", "PROPFIND"])
    expect((await ask(viewer.url, {}, method)).status).toBe(405);
});

test.each([
  "assets/../../package.json",
  "assets/..%2f..%2fpackage.json",
  "assets/%2e%2e/%2e%2e/package.json",
  "run?run=../../../etc",
  "run?run=__proto__",
  "run?run=a-seed-1%00",
  "data/curve.json?metric=__proto__&run=__proto__",
  "data/curve.exe?metric=reward/outcome",
])("%s leads nowhere", async (path) => {
  const { status, text } = await ask(viewer.url + path);
  expect(text).not.toContain("@iapo/run-view");
  expect([200, 404]).toContain(status);
  if (status === 200) expect(text).toContain('"series":[]');
});

test("for others than this machine there is a token: in the address once, in a cookie then", async () => {
  const open = await openViewer({ directories: [join(root, "runs")], host: "0.0.0.0" });
  try {
    const url = new URL(open.url);
    const token = url.searchParams.get("token") ?? "";
    expect(token.length).toBeGreaterThanOrEqual(32);
    const base = `http://127.0.0.1:${url.port}/`;
    for (const path of ["", "events", "assets/view.js", "curves?token=", `?token=${token}x`, "?token=undefined"])
      expect((await ask(base + path)).status).toBe(401);
    const first = await ask(`${base}curves?run=a-seed-1&token=${token}`);
    expect([first.status, first.headers.location]).toEqual([302, "/curves?run=a-seed-1"]);
    const [cookie] = first.headers["set-cookie"] as string[];
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    const kept = cookie!.split(";")[0]!;
    expect((await ask(`${base}curves`, { cookie: kept })).status).toBe(200);
    expect((await ask(base, { cookie: kept, host: "192.168.0.7:80" })).status).toBe(200);
    expect((await ask(base, { cookie: kept, host: "evil.example" })).status).toBe(421);
  } finally {
    await open.close();
  }
  await expect(openViewer({ directories: [root], token: "short" })).rejects.toThrow(/at least 16/);
});

test("a change is told at once, and pages show it", async () => {
  const directory = join(root, "runs", "live");
  await mkdir(join(directory, "steps"), { recursive: true });
  await makeRecord(directory, {}, 9);
  const own = await openViewer({ directories: [directory] });
  try {
    const response = await fetch(`${own.url}events`);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let heard = "";
    const until = async (wanted: string): Promise<void> => {
      while (!heard.includes(wanted)) heard += (await reader.read()).value ?? "";
    };
    await until("event: open");
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    await makeStep(directory, 0);
    await until(`"steps":[0]`);
    expect(performance.now() - began).toBeLessThan(2000);
    expect((await ask(own.url)).text).toContain("1 of 9");
    await reader.cancel();
  } finally {
    await own.close();
  }
});

test("directories that are none, and ports that are taken, are said", async () => {
  await expect(openViewer({ directories: [join(root, "none")] })).rejects.toMatchObject({ code: "missing" });
  const port = Number(new URL(viewer.url).port);
  await expect(openViewer({ directories: [root], port })).rejects.toMatchObject({ code: "listen" });
});
