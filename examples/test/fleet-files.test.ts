// What examples/fleet deploys: its files are read, what they name is there, and each command line is one that the real command line understands.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { root } from "./blocks.ts";
import { parseCommand } from "./parse-command.ts";
import { shellLines } from "./shell-lines.ts";

vi.setConfig({ testTimeout: 300_000 }); // the first command line loads them all

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const manifest = (path: string) =>
  z
    .object({ name: z.string(), peerDependencies: z.record(z.string(), z.string()).default({}) })
    .parse(JSON.parse(read(path)));

const text = z.string().min(1);

/** Of the Compose Specification, what the file uses; a key that it does not know is a slip. */
const composeSchema = z.strictObject({
  services: z.strictObject({
    nats: z.strictObject({
      image: text,
      command: z.array(text),
      ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)), // it asks for no password
      volumes: z.array(text),
      restart: z.enum(["unless-stopped"]),
    }),
    worker: z.strictObject({
      image: text,
      command: z.array(text),
      devices: z.array(z.string().startsWith("/dev/")),
      volumes: z.array(text),
      depends_on: z.array(z.enum(["nats"])),
      restart: z.enum(["unless-stopped"]),
    }),
  }),
  volumes: z.record(z.string(), z.strictObject({})),
});

const named = z.strictObject({ name: text });
/** Of apps/v1, what the file uses. */
const deploymentSchema = z.strictObject({
  apiVersion: z.literal("apps/v1"),
  kind: z.literal("Deployment"),
  metadata: named,
  spec: z.strictObject({
    replicas: z.int().min(1),
    selector: z.strictObject({ matchLabels: z.record(z.string(), text) }),
    template: z.strictObject({
      metadata: z.strictObject({ labels: z.record(z.string(), text) }),
      spec: z.strictObject({
        terminationGracePeriodSeconds: z.int().min(1),
        containers: z.tuple([
          z.strictObject({
            name: text,
            image: text,
            command: z.array(text),
            args: z.array(text),
            env: z.array(z.strictObject({ name: text, value: text })),
            resources: z.strictObject({ limits: z.record(z.string(), z.int()) }),
            volumeMounts: z.array(z.strictObject({ name: text, mountPath: text, readOnly: z.boolean() })),
          }),
        ]),
        volumes: z.array(
          z.union([
            z.strictObject({ name: text, persistentVolumeClaim: z.strictObject({ claimName: text }) }),
            z.strictObject({ name: text, secret: z.strictObject({ secretName: text }) }),
          ]),
        ),
      }),
    }),
  }),
});

/** As a shell, systemd and compose replace them. */
const replaced = (word: string): string =>
  word
    .replace(/\$\{IAPO_RUN(:-[\w-]+)?\}/, "my-run")
    .replace(/\$\{IAPO_SERVER\}/, "nats://host:4222")
    .replace("%H-%i", "host-0");

async function expectWorker(words: readonly string[]): Promise<void> {
  const [program, ...args] = words.map(replaced);
  expect(program).toBe("iapo");
  expect(args[0]).toBe("worker");
  expect(args.filter((word) => /[$%]/.test(word))).toEqual([]);
  expect(await parseCommand(args)).toEqual({ said: [], works: 1 });
}

const mounted = (volumes: readonly string[]): string[] => volumes.map((volume) => volume.split(":")[0] ?? "");

test("docker compose: a server with JetStream, a worker with all packages that it needs, volumes that are declared", async () => {
  const { services, volumes } = composeSchema.parse(parse(read("examples/fleet/compose.yaml")));
  const { nats, worker } = services;
  expect(Object.keys(volumes).sort()).toEqual([...mounted(nats.volumes), ...mounted(worker.volumes)].sort());
  expect(nats.command).toEqual(expect.arrayContaining(["-js", "-sd", nats.volumes[0]?.split(":")[1]]));
  const at = worker.command.indexOf("iapo");
  const [npx, yes, ...packages] = worker.command.slice(0, at);
  expect([npx, yes]).toEqual(["npx", "--yes"]);
  const { name } = manifest("apps/trainer/package.json");
  const { peerDependencies } = manifest("packages/fleet/package.json");
  expect(packages.map((word) => word.replace(/^--package=/, "")).sort()).toEqual(
    [name, ...Object.keys(peerDependencies)].sort(),
  );
  await expectWorker(worker.command.slice(at));
});

test("Kubernetes: the Deployment's workers are those that it selects, their volumes are there, and so are the credentials", async () => {
  const { spec } = deploymentSchema.parse(parse(read("examples/fleet/kubernetes.yaml")));
  const { selector, template } = spec;
  const { containers, volumes } = template.spec;
  const [{ command, args, env, volumeMounts }] = containers;
  expect(template.metadata.labels).toMatchObject(selector.matchLabels);
  expect(volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.map(({ name }) => name).sort());
  const places = volumeMounts.map(({ mountPath }) => mountPath);
  const named = [...env.map(({ value }) => value), ...args.flatMap((word) => word.match(/(?<==)\/.*/) ?? [])];
  expect(env.map(({ name }) => name)).toEqual(["NATS_CREDS"]);
  for (const path of named)
    expect(
      places.some((place) => path.startsWith(`${place}/`)),
      path,
    ).toBe(true);
  await expectWorker([...command, ...args]);
});

test("systemd: the unit has its three sections, and starts a worker", async () => {
  const unit = read("examples/fleet/iapo-worker@.service");
  expect(unit.match(/^\[\w+\]$/gm)).toEqual(["[Unit]", "[Service]", "[Install]"]);
  for (const line of unit.split("\n")) expect(line).toMatch(/^$|^#|^\[\w+\]$|^[A-Z]\w+=\S/);
  const [, started = ""] = /^ExecStart=\/usr\/bin\/env (.*)$/m.exec(unit) ?? [];
  await expectWorker(started.split(" "));
});

test("the page beside them names each file, and its commands are commands", async () => {
  const page = read("examples/fleet/README.md");
  for (const file of ["nats.conf", "iapo-worker@.service", "compose.yaml", "kubernetes.yaml"])
    expect(page).toContain(`](${file})`);
  const commands = Array.from(page.matchAll(/`(iapo [^`]+)`/g), ([, line = ""]) => line).flatMap(shellLines);
  expect(commands.length).toBeGreaterThan(0);
  for (const [, ...args] of commands) expect(await parseCommand(args)).toEqual({ said: [], works: 1 });
});
