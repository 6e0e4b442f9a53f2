// tensor-core in a browser: bundles the built package for headless Chromium, whose page runs ops and a training and posts what came of it.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "vite";
import type { DeviceReport, PageReport } from "../../packages/tensor-core/test/browser/page.ts";

const run = promisify(execFile);
const packageFolder = "packages/tensor-core";
const program = `${packageFolder}/test/browser`;
/** A page that hangs says nothing; generous, as machines are busy. */
const minutesAllowed = 20;
/** Losses of two adapters may differ by roundings; after 20 steps a wrong gradient differs by 0.01 and more. */
const lossTolerance = 1e-4;

export async function tryBrowser(): Promise<string[]> {
  const limit = AbortSignal.timeout(minutesAllowed * 60_000);
  const browser = (await run("scripts/setup-browser.sh", { signal: limit })).stdout.trim();
  const { code, problems } = await bundlePage();
  if (problems.length > 0) return problems;
  const page = await openPage(browser, code, limit);
  if ("error" in page) return [`the page failed: ${page.error}`];
  const { stdout } = await run("node", [`${program}/node.ts`], { signal: limit });
  return [
    ...opFindings("openDevice()", page.opened),
    ...opFindings("openDevice({ device })", page.handedIn),
    ...lossFindings(page.losses, JSON.parse(stdout) as number[]),
  ];
}

/** The page with all that the package's entries load, whether it is used or not, and what of it has no place in a browser. */
async function bundlePage(): Promise<{ code: string; problems: string[] }> {
  const { NODE_ENV } = process.env;
  const built = await build({
    configFile: false,
    root: packageFolder,
    logLevel: "error",
    build: {
      write: false,
      minify: false,
      target: "esnext",
      rolldownOptions: { input: `${program}/page.ts`, treeshake: false, output: { codeSplitting: false } },
    },
  });
  if (NODE_ENV === undefined) delete process.env.NODE_ENV; // Vite sets it, and the tests that come after would inherit it
  const chunks = [built].flat().flatMap((result) => ("output" in result ? result.output : []));
  const chunk = chunks[0];
  if (chunks.length !== 1 || chunk?.type !== "chunk") throw new Error("the page did not become one script");
  const modules = Object.keys(chunk.modules);
  const allowed = [`${packageFolder}/dist/`, `${packageFolder}/test/`].map((folder) => join(process.cwd(), folder));
  const strangers = [...chunk.imports, ...modules.filter((id) => !allowed.some((folder) => id.startsWith(folder)))];
  const problems = strangers.map((id) => `${packageFolder}: loads ${id} in a browser`);
  if (!modules.some((id) => id.endsWith("/dist/device/host.browser.js")))
    problems.push(`${packageFolder}: #host is not the browser's in a browser`);
  return { code: chunk.code, problems };
}

/** Serves the page on the loopback interface, opens it in Chromium, and gives what it posts. */
async function openPage(browser: string, script: string, signal: AbortSignal): Promise<PageReport> {
  const profile = await mkdtemp(join(tmpdir(), "iapo-browser-"));
  const posted = Promise.withResolvers<PageReport>();
  const server = createServer(async (request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    if (request.method === "POST") posted.resolve(await readJson(request));
    response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const child = spawn(browser, [...flags, `--user-data-dir=${profile}`, address], {
    detached: true, // a group of its own, so that all of its processes can be ended
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said = (said + chunk).slice(-4000);
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  const fail = (reason: string): void => posted.reject(new Error(`${reason}; Chromium said:\n${said}`));
  child.on("error", posted.reject);
  child.on("exit", (code) => fail(`Chromium ended with exit code ${code} before the page had posted`));
  signal.addEventListener("abort", () => fail("the page did not come to its end in time"));
  try {
    return await posted.promise;
  } finally {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      process.kill(-child.pid, "SIGKILL");
      await closed;
    }
    server.close();
    server.closeAllConnections();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** WebGPU on SwiftShader, the software adapter that Chromium brings; no sandbox, which containers forbid, for a page of our own; no calls home. */
const flags = [
  ...["--headless", "--no-sandbox", "--no-first-run"],
  ...["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"],
];

async function readJson(request: IncomingMessage): Promise<PageReport> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as PageReport;
}

function opFindings(opened: string, { ops, adapter, family, milliseconds }: DeviceReport): string[] {
  const cases = ops.reduce((sum, op) => sum + op.cases, 0);
  const seconds = (milliseconds / 1000).toFixed(1);
  console.log(`${opened} on ${adapter}, ${family} kernels: ${ops.length} ops, ${cases} cases in ${seconds} s`);
  const untested = ops.filter((op) => op.cases === 0).map((op) => `${opened}: ${op.name} has no case`);
  return [...untested, ...ops.flatMap((op) => op.failures.map((failure) => `${opened}: ${failure}`))];
}

function lossFindings(page: readonly number[], node: readonly number[]): string[] {
  const worst = Math.max(...node.map((loss, step) => Math.abs(loss - page[step]!)));
  console.log(`${page.length} steps of training: losses of page and Node differ by ${worst.toExponential(1)} at most`);
  const findings = worst <= lossTolerance ? [] : [`losses differ by ${worst}: page ${page}, Node ${node}`];
  if (!(page.at(-1)! < page[0]! - 1)) findings.push(`the page's training learns nothing: ${page}`);
  return findings;
}
