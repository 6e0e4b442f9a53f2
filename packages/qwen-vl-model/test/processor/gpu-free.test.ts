import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("./config and ./processor load neither the GPU nor the image decoder", () => {
  const script = `
    await import("@iapo/qwen-vl-model/config");
    await import("@iapo/qwen-vl-model/processor");
    process.report.excludeNetwork = true;
    console.log(JSON.stringify(process.report.getReport().sharedObjects));
  `;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=@iapo/source", "--input-type=module", "-e", script],
    { cwd: import.meta.dirname, encoding: "utf8" },
  );
  const libraries = JSON.parse(stdout || stderr) as string[];
  expect(libraries.length).toBeGreaterThan(0);
  expect(libraries.filter((library) => /dawn|webgpu|vulkan|vips|sharp/i.test(library))).toEqual([]);
});
