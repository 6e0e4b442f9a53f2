// A command on a disk that has no room, and again when it has: a small file system of one's own, which needs no rights where user namespaces
// are allowed.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, temporaryFolder } from "./iapo.ts";

const unshare = ["unshare", "-rm"] as const;

/** Where it is false a full check fails. */
export const canFillDisk: boolean =
  process.env.IAPO_FULL === "1" ||
  spawnSync(unshare[0], ["-rm", "mount", "-t", "tmpfs", "tmpfs", tmpdir()]).status === 0;

const script = `at=$1 size=$2 copy=$3; shift 3
mount -t tmpfs -o size=$size tmpfs "$at/disk"
"$@" 2> "$at/said" > "$at/out"; echo $? > "$at/code"
(cd "$at/disk" && find . -type f | sed "s|^./||" | sort) > "$at/left"
[ -z "$copy" ] && exit
mount -o remount,size=64m "$at/disk"
"$@"; code=$?; cp -r "$at/disk/made" "$copy"; exit $code`;

export interface Starved {
  readonly code: number;
  readonly said: string;
  readonly out: string;
  /** Files on the disk. */
  readonly left: readonly string[];
  /** With room; undefined where it was not asked for. */
  readonly again: { readonly code: number | null; readonly said: string } | undefined;
}

/** @param args the last one takes the name of a file or directory: one on the disk is added */
export async function onFullDisk(
  args: readonly string[],
  {
    size,
    copy,
  }: { readonly size: string /** Where what the command made with room is put. */; readonly copy?: string },
): Promise<Starved> {
  const at = temporaryFolder();
  mkdirSync(join(at, "disk"));
  const iapo = [process.execPath, "--conditions=@iapo/source", "--no-warnings", main, ...args, join(at, "disk/made")];
  const child = spawn(unshare[0], ["-rm", "sh", "-c", script, "sh", at, size, copy ?? "", ...iapo], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const read = (name: string): string => readFileSync(join(at, name), "utf8");
  return {
    code: Number(read("code")),
    said: read("said"),
    out: read("out"),
    left: read("left").split("\n").slice(0, -1),
    again: copy === undefined ? undefined : { code, said },
  };
}
