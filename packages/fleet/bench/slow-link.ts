// A link between two hosts, as a TCP proxy: node slow-link.ts FROM_HOST FROM_PORT TO_HOST TO_PORT. Each piece arrives 20 ms later; one in a hundred is lost
// once, and arrives behind a retransmission's 200 ms, with all that was sent after it. It stands in for `tc netem`, which not every kernel has.
import { connect, createServer, type Socket } from "node:net";

const [fromHost = "", fromPort = "", toHost = "", toPort = ""] = process.argv.slice(2);
const [DELAY, LOSS, RETRANSMISSION] = [20, 0.01, 200];

/** In order, as TCP gives them: one timer for all, as two of different lengths may end in either order. */
function link(from: Socket, to: Socket): void {
  const waiting: { readonly piece: Buffer; readonly at: number }[] = [];
  let isOver = false;
  const give = (): void => {
    while (waiting[0] && waiting[0].at <= performance.now()) to.write(waiting.shift()?.piece ?? "");
    if (waiting[0]) setTimeout(give, Math.max(1, waiting[0].at - performance.now()));
    else if (isOver) to.destroy();
  };
  from.on("data", (piece) => {
    const late = Math.random() < LOSS ? DELAY + RETRANSMISSION : DELAY;
    const at = Math.max(waiting.at(-1)?.at ?? 0, performance.now() + late); // no piece overtakes another
    waiting.push({ piece, at });
    if (waiting.length === 1) setTimeout(give, late);
  });
  from.on("close", () => {
    isOver = true;
    if (waiting.length === 0) to.destroy();
  });
  from.on("error", () => {});
}

createServer({ noDelay: true }, (socket) => {
  const other = connect({ host: toHost, port: Number(toPort), noDelay: true });
  link(socket, other);
  link(other, socket);
}).listen(Number(fromPort), fromHost, () => console.error("slow link is open"));
