// sharp is an optional peer: who only runs tools on raw images needs none of its 30 MB.
import { VisualToolsError } from "../error.ts";

/** @throws VisualToolsError `bad_image` where sharp is not installed */
export async function loadSharp(): Promise<typeof import("sharp").default> {
  try {
    return (await import("sharp")).default;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new VisualToolsError(
      "bad_image",
      `image files are read and written by sharp; install it: npm install sharp (${reason})`,
      { cause: error },
    );
  }
}
