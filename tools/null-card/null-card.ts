// A card that is not there: Mesa's RADV with null hardware (RDNA3) behind a Vulkan that compiles and records, and runs nothing.
import { execFile } from "node:child_process";
import { access, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const source = join(import.meta.dirname, "shim.c");
export const CARD = "navi31";

export interface NullCard extends AsyncDisposable {
  /** Of a process that finds this card. */
  readonly environment: NodeJS.ProcessEnv;
  /** Where files about the kernels that were compiled are put, by their number. */
  readonly folder: string;
}

/** Builds the Vulkan that runs nothing; or why there is none. */
export async function buildNullCard(): Promise<NullCard | string> {
  const driver = await findDriver();
  if (typeof driver === "string") return driver;
  const folder = await mkdtemp(join(tmpdir(), "iapo-null-card-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await run("cc", ["-shared", "-fPIC", "-O1", "-o", join(folder, "libvulkan.so.1"), source, "-ldl"]);
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    environment: {
      ...process.env,
      ...{ LD_LIBRARY_PATH: folder, SHIM_LOADER: driver.loader, SHIM_OUT: folder },
      ...{ VK_ICD_FILENAMES: driver.manifest, VK_DRIVER_FILES: driver.manifest, RADV_FORCE_FAMILY: CARD },
    },
    folder,
    [Symbol.asyncDispose]: remove,
  };
}

/** The driver's manifest and the Vulkan loader; or why there is none to compile with. */
async function findDriver(): Promise<{ manifest: string; loader: string } | string> {
  if (process.platform !== "linux") return "RADV is a driver of Linux";
  const places = ["/etc", "/usr/local/share", "/usr/share"].map((place) => `${place}/vulkan/icd.d`);
  const manifests = await Promise.all(places.map((place) => readdir(place).then(toPaths(place), () => [])));
  const manifest = manifests.flat().find((path) => /\/radeon_icd\b.*\.json$/.test(path));
  if (!manifest) return "RADV, the driver of AMD cards, is not installed (mesa-vulkan-drivers)";
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
