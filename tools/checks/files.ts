// Rules for every file (length, words that belong to one machine) and for every package (README, LICENSE, exports, references).
import { readdirSync } from "node:fs";
import { entrySource, filesBelow, type Package, type Tree } from "./tree.ts";

const maximumLines = 400;
const rooms = ["packages", "apps", "tools", "scripts", "docs", "examples", ".ci", ".changeset"];
const isSource = /\.(ts|tsx|mjs|js|sh)$/;
const isText = /\.(ts|tsx|mjs|js|sh|md|json|jsonl|yaml|yml|html|css|svg|txt|toml)$|\/[^./]+$|^[^./]+$|^\.[^/]+$/;

// Put together here so that this file does not break its own rule.
const folders = ["work", "tmp", "home", "root", "Users"].map((name) => `/${name}/`);
const hosts = ["registry.npmjs", "registry.yarnpkg", "deb.debian", "archive.ubuntu", "npmmirror"].map(
  (host) => `${host}.`,
);
const words = [...folders, ["..", "shared"].join("/"), ...hosts].map((word) => ({
  word,
  pattern: new RegExp(`(^|[^\\w.@-])${word.replaceAll(".", "\\.")}`),
}));

function allFiles(tree: Tree): string[] {
  const entries = readdirSync(tree.root, { withFileTypes: true });
  const top = entries.filter((entry) => entry.isFile() && entry.name !== ".git"); // a file in a second working tree
  return [...top.map((entry) => entry.name), ...rooms.flatMap((room) => filesBelow(tree.root, room))];
}

/** Sources of more than 400 lines. */
export function checkLength(tree: Tree): string[] {
  return allFiles(tree)
    .filter((file) => isSource.test(file))
    .flatMap((file) => {
      const lines = tree.read(file).trimEnd().split("\n").length;
      return lines > maximumLines
        ? [`${file}: ${lines} lines; ${maximumLines} at most, split it by reason to change`]
        : [];
    });
}

/** Paths and hosts that exist on one machine only. */
export function checkWords(tree: Tree): string[] {
  return allFiles(tree)
    .filter((file) => isText.test(file))
    .flatMap((file) =>
      tree
        .read(file)
        .split("\n")
        .flatMap((line, index) =>
          words
            .filter(({ pattern }) => pattern.test(line))
            .map(({ word }) => `${file}:${index + 1}: "${word}" belongs to one machine, not to the repository`),
        ),
    );
}

/** Each package has a README, the license, a sentence, sound exports, and a project reference for each dependency. */
export function checkPackages(tree: Tree): string[] {
  return tree.packages.flatMap((owner) => packageProblems(tree, owner).map((problem) => `${owner.folder}: ${problem}`));
}

function packageProblems(tree: Tree, owner: Package): string[] {
  const { folder, room, manifest } = owner;
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const text = (file: string): string => (tree.exists(`${folder}/${file}`) ? tree.read(`${folder}/${file}`) : "");
  expect(manifest.name === `@iapo/${room}`, `is named ${manifest.name}, not @iapo/${room}`);
  expect((manifest.description ?? "").length > 20, "has no description that says what it is for");
  expect(manifest.license?.startsWith("Apache-2.0") === true, "package.json does not name the license Apache-2.0");
  expect(manifest.type === "module", 'package.json lacks "type": "module"');
  expect(manifest.files?.includes("dist") === true, 'package.json\'s "files" lacks dist');
  expect(
    manifest.files?.includes("!dist/.tsbuildinfo") === true,
    'package.json\'s "files" does not leave out dist/.tsbuildinfo, which is of use to the compiler only',
  );
  expect(manifest.files?.includes("CHANGELOG.md") === true, 'package.json\'s "files" lacks CHANGELOG.md');
  for (const key of ["keywords", "homepage", "bugs", "repository"] as const)
    expect(manifest[key] !== undefined, `package.json has no ${key}, by which people find it`);
  expect(
    tree.exists("LICENSE") && text("LICENSE") === tree.read("LICENSE"),
    "LICENSE is missing or differs from the root's",
  );
  expect(
    text("README.md").startsWith(`# ${manifest.name}\n`),
    `README.md is missing or does not start with "# ${manifest.name}"`,
  );
  expect(
    tree.exists("README.md") && tree.read("README.md").includes(manifest.name),
    "the root README's table does not list it",
  );

  expect(manifest.exports?.["."] !== undefined, "exports no main entry");
  for (const [entry, target] of Object.entries(manifest.exports ?? {})) {
    if (!(typeof target === "object")) continue; // ./package.json
    const source = entrySource(owner, entry);
    expect(source !== undefined && tree.exists(source), `exports ${entry} but has no source behind "@iapo/source"`);
    expect(Object.keys(target)[0] === "@iapo/source", `exports ${entry}: "@iapo/source" must come first`);
    expect(target.types !== undefined && target.default !== undefined, `exports ${entry} without types and default`);
  }

  const references =
    (JSON.parse(text("tsconfig.json") || "{}") as { references?: { path: string }[] }).references ?? [];
  for (const name of Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith("@iapo/"))) {
    const other = tree.packages.find((candidate) => candidate.manifest.name === name);
    const known = references.some(
      (reference) => reference.path.endsWith(`/${other?.folder}`) || reference.path === `../${other?.room}`,
    );
    expect(
      other !== undefined && known,
      `tsconfig.json does not reference ${name}, so tsc -b would build them out of order`,
    );
  }
  return problems;
}
