// A real Chromium, and all that it says and asks for while a test drives it.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";

export interface Watched {
  readonly page: Page;
  /** Messages of the console, errors of pages, dialogs, and requests to elsewhere. None is wanted. */
  readonly said: string[];
}

/** `scripts/setup-browser.sh` finds it, or installs it where that can be. */
export async function openBrowser(): Promise<Browser> {
  const script = join(import.meta.dirname, "../../../../scripts/setup-browser.sh");
  const { stdout } = await promisify(execFile)(script);
  return chromium.launch({ executablePath: stdout.trim(), args: ["--no-sandbox", "--disable-gpu"] });
}

export async function watchedPage(
  browser: Browser,
  origin: string,
  { width = 1280, dark = false }: { readonly width?: number; readonly dark?: boolean } = {},
): Promise<Watched> {
  const context = await browser.newContext({
    viewport: { width, height: 900 },
    colorScheme: dark ? "dark" : "light",
    baseURL: origin,
  });
  const page = await context.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()} (${page.url()})`));
  page.on("pageerror", (error) => said.push(`error: ${error.message} (${page.url()})`));
  page.on("dialog", (dialog) => {
    said.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin)) said.push(`request: ${request.url()}`);
  });
  return { page, said };
}

/** Findings of axe-core that are serious or worse. It is put in by the browser's debugger: the page's policy would not load it. */
export async function accessibilityFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const own = (globalThis as unknown as { axe: typeof axe }).axe;
    return (await own.run()).violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0]?.html ?? "" }));
  });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, html }) => `${new URL(page.url()).pathname}: ${id} at ${html.slice(0, 200)}`);
}
