// A registry on loopback: what is published here goes nowhere else; all other packages come from the registry that npm is set to.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run, tools } from "./tools.ts";

export interface Registry {
  readonly url: string;
  publish(tarball: string): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const START_MS = 60_000;

/** A free port of loopback. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("loopback gives no port");
  return address.port;
}

/** Keeps its files below `folder`. */
export async function startRegistry(folder: string): Promise<Registry> {
  const { stdout } = await run(["npm", "config", "get", "registry"]);
  const url = `http://127.0.0.1:${await freePort()}/`;
  const config = {
    storage: join(folder, "storage"),
    uplinks: { public: { url: stdout.trim(), timeout: "60s", max_fails: 10 } },
    packages: { "@iapo/*": { access: "$all", publish: "$all" }, "**": { access: "$all", proxy: "public" } },
    max_body_size: "100mb",
    log: { type: "stdout", format: "json", level: "error" },
  };
  const file = join(folder, "verdaccio.json");
  await writeFile(file, JSON.stringify(config));
  const [node = "", ...args] = tools.verdaccio;
  const server = spawn(node, [...args, "--config", file, "--listen", url], { stdio: "ignore" });
  await answers(url);
  const userConfig = join(folder, "publish.npmrc");
  await writeFile(userConfig, `registry=${url}\n${url.replace("http:", "")}:_authToken=anyone\n`);
  return {
    url,
    async publish(tarball) {
      await run([
        ...tools.npm,
        "publish",
        tarball,
        "--provenance=false",
        "--registry",
        url,
        "--userconfig",
        userConfig,
      ]);
    },
    async [Symbol.asyncDispose]() {
      const ended = once(server, "exit");
      server.kill();
      await ended;
    },
  };
}

async function answers(url: string): Promise<void> {
  for (const start = performance.now(); ; await sleep(100)) {
    const response = await fetch(new URL("-/ping", url)).catch(() => undefined);
    if (response?.ok) return;
    if (performance.now() - start > START_MS) throw new Error("the local registry does not answer");
  }
}
