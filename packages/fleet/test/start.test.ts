// Workers as processes of this machine: they end with what they are for, those too that do not want to.
import { join } from "node:path";
import { startWorkers } from "@iapo/fleet";
import { expect, test } from "vitest";

test("a worker that does not end when it is asked to is ended by force", async () => {
  const news: string[] = [];
  const module = join(import.meta.dirname, "support/stubborn.ts");
  const workers = startWorkers({ count: 2, module, args: [], onNews: (text) => news.push(text) });
  await expect.poll(() => news.filter((text) => text.endsWith(": stubborn"))).toHaveLength(2);
  expect(workers.pids()).toHaveLength(2);
  await workers.close();
  expect(workers.pids()).toEqual([]);
});
