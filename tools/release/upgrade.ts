// A consumer's project on the last version, and on the next: the same configuration trains to the same bytes; a run of the last version is read, and goes on by the version that made it only.
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { install, type Project, project } from "../consumers/project.ts";
import { nodes } from "../consumers/tools.ts";

const settings = ["grpo.steps=2", "grpo.groups=2", "grpo.rollout.samples=4", "grpo.evaluate="];

export class Upgrade {
  readonly #project: Project;
  readonly #registry: string;
  readonly #base: string;
  readonly #before: string;

  private constructor(of: Project, registry: string, base: string, before: string) {
    this.#project = of;
    this.#registry = registry;
    this.#base = base;
    this.#before = before;
  }

  /** Installs what the registry has, and trains. */
  static async begin(registry: string, base: string): Promise<Upgrade> {
    const made = await project(base, "upgrade");
    await install(made, "npm", ["@iapo/trainer"], registry, base);
    return new Upgrade(made, registry, base, await trained(made, "before"));
  }

  /** Installs the newest, trains again and reads the first run. @throws Error where other weights come out */
  async finish(): Promise<string> {
    await install(this.#project, "npm", ["@iapo/trainer@latest"], this.#registry, this.#base);
    const after = await trained(this.#project, "after");
    if (after !== this.#before) throw new Error(`the next version trains to other weights: ${this.#before}, ${after}`);
    await iapo(this.#project, "report", "before");
    const resumed = await iapo(this.#project, "train", "before", "--resume", "--set", "grpo.steps=3").catch(String);
    if (typeof resumed !== "string" || !resumed.includes("made by other versions"))
      throw new Error("a run of another version goes on, and nothing is said of it");
    const { stdout } = await this.#project.run(["npx", "--no-install", "iapo", "--version"]);
    return `upgraded to ${stdout.trim()}: the same weights, ${after}; a run of the last version is read`;
  }
}

function iapo({ run }: Project, ...args: string[]): Promise<unknown> {
  return run([nodes["24"], "node_modules/@iapo/trainer/dist/main.js", ...args]);
}

/** SHA-256 of the weights. */
async function trained(of: Project, out: string): Promise<string> {
  await iapo(of, "train", "nano-grpo", "--out", out, ...settings.flatMap((setting) => ["--set", setting]));
  const [file] = globSync(join(of.folder, out, "checkpoints/*/parameters.safetensors"))
    .sort()
    .reverse();
  if (file === undefined) throw new Error(`${out} has no checkpoint`);
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
