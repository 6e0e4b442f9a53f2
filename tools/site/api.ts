// node tools/site/api.ts FOLDER: the reference of every entry, made by TypeDoc from the docstrings of the sources, as Markdown.
import { join } from "node:path";
import { Application, type DeclarationReflection, ReflectionKind } from "typedoc";
import { entrySource, readTree } from "../checks/tree.ts";

/** Writes `README.md` and a page for each entry of each published package into the folder. @throws Error where TypeDoc cannot read them */
async function writeApi(root: string, into: string): Promise<void> {
  const sources = new Map(
    readTree(root)
      .packages.filter(({ manifest }) => !manifest.private)
      .flatMap((owner) =>
        Object.keys(owner.manifest.exports ?? {}).flatMap((entry) => {
          const source = entrySource(owner, entry);
          return source === undefined ? [] : [[source, owner.manifest.name + entry.slice(1)] as const];
        }),
      ),
  );
  const app = await Application.bootstrapWithPlugins({
    name: "API",
    entryPoints: [...sources.keys()].map((source) => join(root, source)),
    tsconfig: join(import.meta.dirname, "tsconfig.api.json"),
    basePath: root,
    out: into,
    plugin: ["typedoc-plugin-markdown"],
    readme: "none",
    excludePrivate: true,
    excludeInternal: true,
    disableSources: true,
    skipErrorChecking: true, // this TypeScript is older than the one that checks them
    logLevel: "Warn",
    ...{ router: "module", hidePageHeader: true, hideBreadcrumbs: true, useHTMLAnchors: true },
    ...{ parametersFormat: "table", interfacePropertiesFormat: "table", propertyMembersFormat: "table" }, // of the plugin
  });
  const project = await app.convert();
  if (project === undefined) throw new Error("TypeDoc cannot read the sources");
  // A module's name is its path without `index.ts`; readers know the entry's.
  const names = new Map([...sources].map(([source, name]) => [source.replace(/(\/index)?\.ts$/, ""), name]));
  for (const module of project.getChildrenByKind(ReflectionKind.Module) as DeclarationReflection[])
    module.name = names.get(module.name) ?? module.name;
  await app.generateOutputs(project);
}

const [into] = process.argv.slice(2);
if (into === undefined) throw new Error("usage: node tools/site/api.ts FOLDER");
await writeApi(join(import.meta.dirname, "../.."), into);
