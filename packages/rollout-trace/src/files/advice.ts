// What to do where the system refuses to write.

const advice: Readonly<Record<string, string>> = {
  ENOSPC: "make room on its disk",
  EDQUOT: "make room within its quota",
  EFBIG: "raise the limit of file sizes (ulimit -f)",
  EROFS: "its disk is read-only: make it writable, or choose another place",
  EACCES: "look at the permissions of file and folder, or choose another place",
  EPERM: "look at the permissions of file and folder, or choose another place",
  ENOENT: "its folder is gone: put it back, or choose another place",
  ENOTDIR: "a file is in its place: choose another place",
  EEXIST: "a file is in its place: choose another place",
  ENAMETOOLONG: "choose a shorter name",
  ELOOP: "a link in its path leads to itself: choose another place",
  EMFILE: "raise the limit of open files (ulimit -n)",
  ENFILE: "raise the limit of open files",
};

/** In a few words, from the system's error or one that has it as its cause. */
export function writeAdvice(error: unknown): string {
  for (let found = error; found instanceof Error; found = found.cause) {
    const { code } = found as NodeJS.ErrnoException;
    if (code !== undefined && code in advice) return advice[code] ?? "";
  }
  return "look at its disk";
}
