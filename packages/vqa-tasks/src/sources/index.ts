// From a configuration's data, the name of a test set, or a path to tasks; and tasks to a folder of rows and pictures.
export { type DataFilePlace, type DataPlace, type DataReport, emptyReport, filesOf, readTasks } from "./data-files.ts";
export { thumbnail, withBoxes } from "./draw-boxes.ts";
export {
  type MissingSet,
  type NanoSetOptions,
  type OpenSet,
  type OwnSetOptions,
  openNano,
  openOwnSet,
  openTestSet,
} from "./open-set.ts";
export {
  type LeftOut,
  leftOutWords,
  type OpenTasks,
  type OpenTasksOptions,
  openTasks,
  type TaskList,
} from "./open-tasks.ts";
export { type SetName, setNames, type TestSet, type TestSetName, testSetNames, testSets } from "./test-sets.ts";
export { type WrittenData, writeData } from "./write-data.ts";
export { type WrittenForm, writtenForms } from "./written-rows.ts";
