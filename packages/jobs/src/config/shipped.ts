// The nano models, which ship with the program and have names.
import { baseDirectory, largeTeacherDirectory, studentDirectory, teacherDirectory } from "@iapo/nano-vl";

/** Directories by name. `nano-base` has no weights: it goes with `initialize`. */
export const shippedModels: ReadonlyMap<string, string> = new Map([
  ["nano-base", baseDirectory],
  ["nano-student", studentDirectory],
  ["nano-teacher", teacherDirectory],
  ["nano-teacher-large", largeTeacherDirectory],
]);
