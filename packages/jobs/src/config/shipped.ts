// The nano models, which ship with the program and have names.
import {
  baseDirectory,
  contextStudentDirectory,
  contextTeacherDirectory,
  largeTeacherDirectory,
  qwen3BaseDirectory,
  studentDirectory,
  teacherDirectory,
} from "@iapo/nano-vl";

/** Directories by name. `nano-base` and `nano-base-qwen3-vl` have no weights: they go with `initialize`. */
export const shippedModels: ReadonlyMap<string, string> = new Map([
  ["nano-base", baseDirectory],
  ["nano-base-qwen3-vl", qwen3BaseDirectory],
  ["nano-student", studentDirectory],
  ["nano-teacher", teacherDirectory],
  ["nano-teacher-large", largeTeacherDirectory],
  ["nano-context-student", contextStudentDirectory],
  ["nano-context-teacher", contextTeacherDirectory],
]);
