// A command line as the real one reads it, without its work.
import { commandLine } from "../../apps/trainer/src/cli.ts";

/** What it says of a line that it does not understand, and how often it would begin to work. */
export async function parseCommand(args: readonly string[]): Promise<{ said: string[]; works: number }> {
  const said: string[] = [];
  let works = 0;
  const program = await commandLine({ out: () => {}, note: (text) => said.push(text) }, async () => {
    works++;
  });
  await program.parseAsync([...args], { from: "user" }).catch(() => {});
  return { said, works };
}
