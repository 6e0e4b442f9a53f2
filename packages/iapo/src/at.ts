// Reading lists at places that the program's own arithmetic gives.
import { IapoError } from "./error.ts";

/** @throws IapoError `shape` where the list has nothing at that place */
export function at<T>(list: ArrayLike<T>, index: number): T {
  const found = list[index];
  if (found === undefined) throw new IapoError("shape", `a list of ${list.length} has nothing at ${index}`);
  return found;
}
