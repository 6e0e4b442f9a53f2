// A command on a disk that has no room, or that is read-only, and again when it can write: a small file system of one's own, which needs no rights
// where user namespaces are allowed.
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

const fullDisk = `at=$1 size=$2 copy=$3; shift 3
mount -t tmpfs -o size=$size tmpfs "$at/disk"
"$@" 2> "$at/said" > "$at/out"; echo $? > "$at/code"
(cd "$at/disk" && find . -type f | sed "s|^./||" | sort) > "$at/left"
[ -z "$copy" ] && exit
mount -o remount,size=64m "$at/disk"
"$@"; code=$?; cp -r "$at/disk/made" "$copy"; exit $code`;

/** Read-only from the beginning, or, where a file is named, as soon as it is there. */
const readOnlyDisk = `at=$1 moment=$2 copy=$3; shift 3
mount -t tmpfs tmpfs "$at/disk"
if [ -z "$moment" ]; then mount -o remount,ro "$at/disk"; fi
"$@" 2> "$at/said" > "$at/out" & pid=$!
if [ -n "$moment" ]; then
  until [ -e "$at/disk/made/$moment" ] || ! kill -0 $pid; do sleep 0.02; done
  mount --bind "$at/disk/made" "$at/disk/made" && mount -o remount,bind,ro "$at/disk/made"
fi
wait $pid; echo $? > "$at/code"
if [ -n "$moment" ]; then umount "$at/disk/made"; fi
(cd "$at/disk" && find . -type f | sed "s|^./||" | sort) > "$at/left"
[ -z "$copy" ] && exit
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

interface Again {
  /** Where what the command made, when it could write, is put. */
  readonly copy?: string;
}

/** @param args the last one takes the name of a file or directory: one on the disk is added */
export function onFullDisk(args: readonly string[], { size, copy = "" }: Again & { readonly size: string }) {
  return onDisk(fullDisk, [size, copy], args);
}

/** @param moment a file of what the command makes, whose appearing makes the disk read-only; default: it is from the beginning */
export function onReadOnlyDisk(
  args: readonly string[],
  { moment = "", copy = "" }: Again & { readonly moment?: string },
) {
  return onDisk(readOnlyDisk, [moment, copy], args);
}

async function onDisk(script: string, settings: readonly [string, string], args: readonly string[]): Promise<Starved> {
  const at = temporaryFolder();
  mkdirSync(join(at, "disk"));
  const iapo = [process.execPath, "--conditions=@iapo/source", "--no-warnings", main, ...args, join(at, "disk/made")];
  const child = spawn(unshare[0], ["-rm", "sh", "-c", script, "sh", at, ...settings, ...iapo], {
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
    again: settings[1] === "" ? undefined : { code, said },
  };
}
