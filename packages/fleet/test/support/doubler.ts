// A worker process over NATS that doubles numbers, each in its time: node doubler.ts SERVER RUN ID MILLISECONDS
import { setTimeout as sleep } from "node:timers/promises";
import { natsTransport, work } from "@iapo/fleet";

const [server = "", run = "", id = "", milliseconds = "0"] = process.argv.slice(2);
const transport = await natsTransport({ server, run });
await work({
  transport,
  id,
  signal: new AbortController().signal,
  open: async () => ({
    roles: ["double"],
    facts: null,
    async handle(_role, header, { blob }) {
      await sleep(Number(milliseconds));
      const given = await blob(String(header));
      return given.map((value) => (2 * value) % 256);
    },
    close: async () => {},
  }),
});
await transport.close();
