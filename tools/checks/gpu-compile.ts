// The kernels of real GPUs, compiled by a real GPU's compiler where there is none: Mesa's RADV for a card that is not there (RDNA3), behind a Vulkan
// that runs nothing. No kernel may spill registers or use scratch memory, and those that matter are held to bounds. It says nothing of results.
import { execFile } from "node:child_process";
import { access, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { bounds, others } from "./gpu-compile/bounds.ts";
import { judge, readCompiled, tableOf } from "./gpu-compile/report.ts";

const run = promisify(execFile);
const source = join(import.meta.dirname, "gpu-compile/shim.c");
const program = "packages/qwen-vl-model/scripts/gpu-kernels.ts";
const CARD = "navi31";

export async function compileForGpu(): Promise<string[]> {
  const driver = await findDriver();
  if (typeof driver === "string") {
    console.log(`skipped: ${driver}`);
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), "iapo-gpu-compile-"));
  try {
    const shim = join(folder, "libvulkan.so.1");
    await run("cc", ["-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"]);
    const { stdout } = await run("node", ["--conditions=@iapo/source", program], {
      env: {
        ...process.env,
        ...{ LD_LIBRARY_PATH: folder, SHIM_LOADER: driver.loader, SHIM_OUT: folder },
        ...{ VK_ICD_FILENAMES: driver.manifest, VK_DRIVER_FILES: driver.manifest, RADV_FORCE_FAMILY: CARD },
      },
    });
    const [adapter = ""] = stdout.split("\n");
    if (!adapter.includes("radv")) return [`the kernels were compiled by another driver: ${adapter}`];
    const names = Array.from(stdout.matchAll(/^kernel: (.*)$/gm), ([, name = ""]) => name);
    const kernels = await readCompiled(folder, names);
    console.log(`${adapter}, ${CARD}: ${kernels.length} kernels`);
    const findings = judge(kernels, bounds, others);
    if (findings.length > 0 || import.meta.main) console.log(tableOf(kernels));
    return findings;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The driver's manifest and the Vulkan loader; or why there is none to compile with. */
async function findDriver(): Promise<{ manifest: string; loader: string } | string> {
  if (process.platform !== "linux") return "RADV is a driver of Linux";
  const places = ["/etc", "/usr/local/share", "/usr/share"].map((place) => `${place}/vulkan/icd.d`);
  const manifests = await Promise.all(places.map((place) => readdir(place).then(toPaths(place), () => [])));
  const manifest = manifests.flat().find((path) => /\/radeon_icd\b.*\.json$/.test(path));
  if (!manifest) return "RADV, which compiles for a card that is not there, is not installed (mesa-vulkan-drivers)";
  const libraries = await run("/sbin/ldconfig", ["-p"]).then(
    ({ stdout }) => stdout,
    () => "",
  );
  const loader = /libvulkan\.so\.1 .*=> (.*)$/m.exec(libraries)?.[1];
  if (
    !loader ||
    (await access(loader).then(
      () => false,
      () => true,
    ))
  )
    return "no Vulkan loader was found";
  const compiler = await run("cc", ["--version"]).then(
    () => true,
    () => false,
  );
  return compiler ? { manifest, loader } : "there is no C compiler to build the shim";
}

const toPaths =
  (place: string) =>
  (names: string[]): string[] =>
    names.map((name) => join(place, name));

if (import.meta.main) {
  const findings = await compileForGpu();
  for (const finding of findings) console.log(finding);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
