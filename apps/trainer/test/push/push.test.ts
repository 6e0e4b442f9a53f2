// iapo export --push: what reaches the hub is the directory that was written, with a card that names no path of this machine.

import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { expectRefusal, iapo, temporaryFolder } from "../support/iapo.ts";
import { smallRun } from "../support/small-run.ts";

/** Takes every file in the commit itself. */
async function startHub() {
  const files = new Map<string, Buffer>();
  const seen: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const path = (request.url ?? "").split("?")[0] ?? "";
    seen.push(path);
    const answer = (status: number, value: object) => response.writeHead(status).end(JSON.stringify(value));
    if (request.headers.authorization !== "Bearer secret") return answer(401, { error: "no" });
    if (path.endsWith("/create")) return answer(200, { url: "x", id: "owner/model" });
    if (path.includes("/preupload/")) {
      const asked = JSON.parse(body).files as { path: string }[];
      return answer(200, { files: asked.map((file) => ({ ...file, uploadMode: "regular", shouldIgnore: false })) });
    }
    for (const line of body.trim().split("\n")) {
      const { key, value } = JSON.parse(line);
      if (key === "file") files.set(value.path, Buffer.from(value.content, value.encoding));
    }
    return answer(200, { success: true, commitOid: "c".repeat(40), commitUrl: "x" });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, files, seen };
}

test("a run's model with its card; nothing is sent without --push", async () => {
  const hub = await startHub();
  const folder = temporaryFolder();
  const run = join(folder, "run");
  await smallRun(run, ["model.lora.rank=2", "model.lora.alpha=4", "model.base=int8"]);
  const env = { HF_ENDPOINT: hub.url, HF_TOKEN: "secret", HF_HUB_OFFLINE: "" };
  const quiet = await iapo(["export", run, "--out", join(folder, "quiet")], env);
  expect(quiet.code, quiet.err).toBe(0);
  expect(hub.seen).toEqual([]);
  expect(readdirSync(join(folder, "quiet"))).not.toContain("README.md");

  const out = join(folder, "model");
  const pushed = await iapo(["export", run, "--out", out, "--push", "owner/model", "--private"], env);
  expect(pushed.code, pushed.err).toBe(0);
  expect(pushed.out).toContain(`${hub.url}/owner/model`);
  expect(pushed.out).toContain("its base was held in eight bits");
  const written = Object.fromEntries(readdirSync(out).map((name) => [name, readFileSync(join(out, name))]));
  expect(Object.fromEntries(hub.files)).toEqual(written);
  expect(Object.keys(written)).toEqual(
    expect.arrayContaining(["README.md", "config.json", "model.safetensors", "tokenizer.json"]),
  );
  const card = written["README.md"]!.toString();
  const [, front = "", body = ""] = card.split(/^---$/m);
  expect(parse(front)).toMatchObject({
    library_name: "transformers",
    tags: ["iapo", "reinforcement-learning", "visual-tools"],
  });
  expect(body).toContain('AutoModelForImageTextToText.from_pretrained("owner/model"');
  expect(body).toContain("| reward/outcome |");
  expect(body).toContain("merged into a base whose projections were held in eight bits");
  expect(body).toMatch(/samples: 2/);
  expect(body).toContain("name no license");
  expect(card).not.toContain(folder);
  expect(card).not.toMatch(/: \/\w/);

  const refused = await iapo(["export", run, "--out", join(folder, "again"), "--push", "owner/model"], {
    ...env,
    HF_TOKEN: "wrong",
  });
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/access refused/);
}, 120_000);

test("what cannot be pushed is refused before work", async () => {
  await expectRefusal(["export", "runs/none", "--out", "x", "--private"], 2, /--private goes with --push/);
  await expectRefusal(
    ["export", "runs/none", "--out", "x", "--push", "model"],
    2,
    /expected a repository as owner\/name/,
  );
});
