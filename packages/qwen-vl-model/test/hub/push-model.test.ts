// A push: what reaches the hub, and what stands against it.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { pushModel } from "../../src/hub/push-model.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { startHub } from "./push-hub.ts";

const contents = {
  "config.json": Buffer.from('{"model_type": "x"}'),
  "model.safetensors": Buffer.from(Uint8Array.from({ length: 5000 }, (_, i) => i % 251)),
  "README.md": Buffer.from("# model\n"),
};

async function directoryWith(path: string): Promise<string> {
  for (const [name, content] of Object.entries(contents)) await writeFile(join(path, name), content);
  await mkdir(join(path, "folder")); // is no part of a model
  return path;
}

test.each([false, true])(
  "all files in one commit, large ones by storage, which gets no token (the repository is there: %s)",
  async (exists) => {
    using folder = temporaryDirectory();
    const hub = await startHub({ exists });
    const made = await pushModel(await directoryWith(folder.path), "owner/model", {
      hubUrl: hub.url,
      token: "secret",
      isPrivate: true,
    });
    expect(made).toEqual({
      url: `${hub.url}/owner/model`,
      commit: "c".repeat(40),
      files: Object.keys(contents).sort(),
    });
    expect(hub.created).toEqual([
      expect.objectContaining({ name: "model", organization: "owner", visibility: "private" }),
    ]);
    expect(Object.fromEntries(hub.files)).toEqual(contents);
    expect(hub.seen.filter((line) => line.includes("storage"))).toEqual(["PUT storage no token"]);
    expect(hub.seen.filter((line) => line.includes("/commit/"))).toHaveLength(1);
  },
);

test("what stands against it is said, and leaves nothing behind", async () => {
  using folder = temporaryDirectory();
  const directory = await directoryWith(folder.path);
  const hub = await startHub();
  const options = { hubUrl: hub.url, token: "secret", isPrivate: true };
  await expect(pushModel(directory, "model", options)).rejects.toMatchObject({ code: "hub_id" });
  await expect(pushModel(directory, "../model", options)).rejects.toMatchObject({ code: "hub_id" });
  await expect(pushModel(directory, "owner/model", { ...options, token: "" })).rejects.toMatchObject({
    code: "hub_access",
  });
  await expect(pushModel(join(directory, "none"), "owner/model", options)).rejects.toMatchObject({ code: "io" });
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  await expect(pushModel(directory, "owner/model", options)).rejects.toMatchObject({ code: "hub_offline" });
  vi.unstubAllEnvs();
  expect(hub.seen).toEqual([]);
  await expect(pushModel(directory, "owner/model", { ...options, token: "wrong" })).rejects.toMatchObject({
    code: "hub_access",
  });
  const full = await startHub({ storageStatus: 403 });
  await expect(pushModel(directory, "owner/model", { ...options, hubUrl: full.url })).rejects.toMatchObject({
    code: "hub_access",
  });
  expect(full.files.size).toBe(0);
});
