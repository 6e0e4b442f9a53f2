// What the pages load: the bundle that the build made, and the report's style sheet with this package's own.
import { readFile } from "node:fs/promises";
import { pageStyle } from "@iapo/run-report";
import { RunViewError } from "../error.ts";
import { viewStyle } from "../pages/style.ts";

export type Assets = ReadonlyMap<string, { readonly type: string; readonly content: string }>;

/** @throws RunViewError `missing` where the package was not built */
export async function loadAssets(): Promise<Assets> {
  const built = async (name: string): Promise<string> =>
    readFile(new URL(`../../dist/assets/${name}`, import.meta.url), "utf8").catch((cause: Error) => {
      throw new RunViewError("missing", `the page's ${name} was not built: run pnpm build (${cause.message})`, {
        cause,
      });
    });
  return new Map([
    ["icon.svg", { type: "image/svg+xml", content: icon }],
    ["view.js", { type: "text/javascript; charset=utf-8", content: await built("view.js") }],
    [
      "view.css",
      { type: "text/css; charset=utf-8", content: `${await built("view.css")}\n${pageStyle}\n${viewStyle}` },
    ],
  ]);
}

/** A falling curve beside a rising one. */
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" stroke-width="2" stroke-linecap="round"><path d="M1 3c5 0 5 9 14 10" stroke="#d55e00"/><path d="M1 13c6 0 6-9 14-10" stroke="#0072b2"/></svg>`;
