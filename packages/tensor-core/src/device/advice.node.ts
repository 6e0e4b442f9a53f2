// What to do on this system where no adapter answers, or only one on the CPU.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Packages of a Vulkan loader and Mesa's software driver, by the system's `ID` in /etc/os-release. */
const INSTALL: Readonly<Record<string, string>> = {
  debian:
    "On Debian: apt install mesa-vulkan-drivers libvulkan1 (on Debian 12 both from bookworm-backports: its own 22.3 is too old)",
  ubuntu: "On Ubuntu: apt install mesa-vulkan-drivers libvulkan1 (24.10 or newer)",
  fedora: "On Fedora: dnf install mesa-vulkan-drivers vulkan-loader",
  arch: "On Arch: pacman -S vulkan-icd-loader, and vulkan-swrast, vulkan-radeon, vulkan-intel or nvidia-utils",
  alpine: "Alpine does not do: Dawn's binding for Node is built for glibc. Use an image of Debian or Ubuntu",
};
const ANY_LINUX = "Install the Vulkan loader and a Vulkan 1.3 driver: your card's own, or Mesa's lavapipe 25 or newer";
const CONTAINER =
  "In a container the card must be handed in: for NVIDIA `--gpus all` with NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility, libvulkan1 installed, and VK_DRIVER_FILES naming nvidia_icd.json; for AMD and Intel `--device /dev/dri`";

interface System {
  readonly platform: string;
  /** Text of /etc/os-release. */
  readonly release: string;
  readonly isContainer: boolean;
}

/** Sentences for this system, or another. */
export function adviceForSystem(system: System = thisSystem()): string {
  const { platform, release, isContainer } = system;
  if (platform === "darwin")
    return "macOS brings Metal: there must be a GPU that is not hidden, as it is in some virtual machines.";
  if (platform === "win32")
    return "Windows brings D3D12: install the card's current driver; over Remote Desktop and in virtual machines the card may be hidden.";
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(release)?.[1] ?? "";
  const known = [field("ID"), ...field("ID_LIKE").split(" ")].find((id) => Object.hasOwn(INSTALL, id));
  const install = (known !== undefined && INSTALL[known]) || ANY_LINUX;
  return [
    install,
    ...(isContainer ? [CONTAINER] : []),
    "VK_DRIVER_FILES can name a driver's manifest, and `vulkaninfo --summary` lists what the loader finds",
  ]
    .map((sentence) => `${sentence}.`)
    .join(" ");
}

function thisSystem(): System {
  const read = (path: string): string => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return "";
    }
  };
  return {
    platform: process.platform,
    release: read("/etc/os-release"),
    isContainer:
      existsSync("/.dockerenv") ||
      existsSync("/run/.containerenv") ||
      /docker|containerd|kubepods/.test(read("/proc/1/cgroup")),
  };
}

/** What shows that this machine has a graphics card, if anything does: a device file, or NVIDIA's tool. */
export function cardInSight(devices = "/dev", path: string = process.env.PATH ?? ""): string | undefined {
  const files = [
    "nvidia0",
    "kfd",
    ...list(join(devices, "dri"))
      .filter((name) => name.startsWith("renderD"))
      .map((name) => join("dri", name)),
  ];
  const file = files.map((name) => join(devices, name)).find(existsSync);
  if (file !== undefined) return file;
  return path
    .split(delimiter)
    .map((folder) => join(folder, "nvidia-smi"))
    .find(existsSync);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
