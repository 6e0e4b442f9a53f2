// Step files of a run: write, publish, recover, read; journals of what no seed governs; other files, whole or not at all. Needs Node.
export { writeAdvice } from "./advice.ts";
export { appendLine, writeFileAtomic } from "./atomic.ts";
export { besideOf, isRunning, removeAbandoned } from "./beside.ts";
export { checkStep } from "./check.ts";
export { makeDirectory, makeFolder } from "./directories.ts";
export { type Journal, openJournal } from "./journal.ts";
export { imagePath, listSteps, publishStep, type StepFile, stepFiles, stepPath, syncDirectory } from "./paths.ts";
export { proxyAdvice } from "./proxy-advice.ts";
export { readEntries, readRun, readStep, readTraces, type StepEntry, type TraceFilter } from "./read.ts";
export { type RecordedVerdicts, recordedVerdicts } from "./recorded-verdicts.ts";
export { type StepRecord, stepRecordSchema } from "./records.ts";
export { type Recovery, recoverSteps } from "./recover.ts";
export { checkRegularFile } from "./regular-file.ts";
export { openStep, type StepWriter, writeStep } from "./write.ts";
