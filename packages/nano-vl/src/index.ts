// Five nano Qwen2.5-VL checkpoints, two students and three teachers, and their tokenizer: what the demo and the tests run on.
import { fileURLToPath } from "node:url";

const directory = (name: string): string => fileURLToPath(new URL(`../${name}/`, import.meta.url));

/** Configuration, tokenizer, chat template and image limits of the nano model, without weights. */
export const baseDirectory: string = directory("base");

/** The same in the shape of Qwen3-VL, with the same tokenizer, for a teacher of another family. */
export const qwen3BaseDirectory: string = directory("base-qwen3");

/** A checkpoint that calls tools, often of the wrong axis. */
export const studentDirectory: string = directory("student");

/** A checkpoint of the same size that calls the right ones. */
export const teacherDirectory: string = directory("teacher");

/** A larger one, of 2.4 million parameters, that does as well. */
export const largeTeacherDirectory: string = directory("teacher-large");

/** A checkpoint that calls tools whose names only the prompt defines, often of the wrong axis. */
export const contextStudentDirectory: string = directory("context-student");

/** One of the same size that calls the right ones of them. */
export const contextTeacherDirectory: string = directory("context-teacher");
