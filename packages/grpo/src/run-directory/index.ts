// The directory of a run: its lock, its `run.json`, what it was made of by content, and where its parts lie. Needs Node, and no GPU.
export { checkContent } from "./compare.ts";
export { type FileHashOptions, hashFile } from "./file-hash.ts";
export { type DirectoryLock, findWriter, lockDirectory, type Writer } from "./lock.ts";
export { hashModule } from "./module-hash.ts";
export { type OpenedRun, openRunDirectory, type RunPaths, runPaths } from "./open.ts";
export { findRunRecord, type RunRecord, readRunRecord, writeRunRecord } from "./record.ts";
