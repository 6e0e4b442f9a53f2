/** Loading by hub id, against a local server that speaks the hub's two requests: list the tree, read byte ranges. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { encodePng } from "@iapo/visual-tools/sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hubFiles } from "../src/loaders/files.ts";
import { loadTasks } from "../src/loaders/load.ts";
import { bytes, struct, text, writeParquet } from "./parquet-writer.ts";

const revision = "0123456789abcdef0123456789abcdef01234567";
let server: Server;
let hubUrl = "";
const requested: string[] = [];

beforeAll(async () => {
  const png = await encodePng({ width: 8, height: 8, channels: 3, data: new Uint8Array(192).fill(9) });
  const columns = [text("qa_id"), text("question"), text("gt"), struct("image", bytes("bytes"), text("path"))];
  const rows = Array.from({ length: 40 }, (_, index) => ({
    qa_id: `q${index}`,
    question: "?",
    gt: "1",
    image: { bytes: png, path: null },
  }));
  const parquet = Buffer.from(writeParquet(columns, rows));
  const files = new Map([
    ["data/test-0.parquet", parquet],
    ["README.md", Buffer.from("card")],
  ]);
  server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    requested.push(`${url} ${request.headers.authorization ?? ""}`);
    if (url.startsWith(`/api/datasets/own/set/tree/${revision}`)) {
      const tree = [...files].map(([path, content]) => ({
        type: "file",
        path,
        size: content.length,
        oid: "0".repeat(40),
      }));
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(tree));
      return;
    }
    const content = files.get(url.replace(`/datasets/own/set/resolve/${revision}/`, ""));
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    const [, start = "0", end = String(content.length - 1)] =
      /bytes=(\d+)-(\d+)?/.exec(request.headers.range ?? "") ?? [];
    const last = Math.min(Number(end), content.length - 1);
    response.writeHead(request.headers.range === undefined ? 200 : 206, {
      etag: '"e"',
      "content-range": `bytes ${start}-${last}/${content.length}`,
      "content-length": String(last - Number(start) + 1),
    });
    response.end(content.subarray(Number(start), last + 1));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test("a data set repository at a commit: files are listed, then read in parts", async () => {
  const files = await hubFiles("own/set", { revision, hubUrl, accessToken: "hf_secret" });
  expect(files.map((file) => file.name)).toEqual(["own/set/data/test-0.parquet"]);
  const stream = loadTasks({ format: "tablevqabench", files, onBadRow: "fail" });
  const ids: string[] = [];
  for await (const task of stream) ids.push(task.id);
  expect(ids).toEqual(Array.from({ length: 40 }, (_, index) => `q${index}`));
  expect(requested.every((line) => line.endsWith("Bearer hf_secret"))).toBe(true);
});

test("a repository without data files is told as such", async () => {
  await expect(hubFiles("own/set", { revision, hubUrl, prefix: "none/" })).rejects.toMatchObject({
    code: "missing_file",
  });
});
