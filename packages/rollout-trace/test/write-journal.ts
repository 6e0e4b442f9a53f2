/** Appends to a journal until it fails: `write-journal.ts FILE`. Says how many records it was told are on the disk, and how it ended. */
import { z } from "zod";
import { openJournal } from "../src/files/index.ts";
import { TraceError } from "../src/index.ts";

const journal = await openJournal(process.argv[2]!, z.strictObject({ key: z.string() }));
let written = 0;
const append = async (): Promise<void> => {
  await journal.append({ key: `record ${written}` });
  written++;
};
try {
  for (;;) await append();
} catch (error) {
  if (!(error instanceof TraceError)) throw error;
  const again = await append().catch((later: TraceError) => later.code);
  console.log(JSON.stringify({ written, code: error.code, again, message: error.message }));
}
