// A link between two hosts, as a TCP proxy: node slow-link.ts FROM_HOST FROM_PORT TO_HOST TO_PORT. Each piece arrives 20 ms later; one in a hundred is lost
// once, and arrives behind a retransmission's 200 ms, with all that was sent after it. It stands in for `tc netem`, which not every kernel has.
import { connect, createServer, type Socket } from "node:net";

const [fromHost = "", fromPort = "", toHost = "", toPort = ""] = process.argv.slice(2);
const [DELAY, LOSS, RETRANSMISSION] = [20, 0.01, 200];

/** In order, as TCP gives them. */
function link(from: Socket, to: Socket): void {
  let free = 0; // no piece overtakes another
  from.on("data", (piece) => {
    const late = Math.random() < LOSS ? DELAY + RETRANSMISSION : DELAY;
    free = Math.max(free, performance.now() + late);
    setTimeout(() => to.writable && to.write(piece), free - performance.now());
  });
  const end = (): void => {
    setTimeout(() => to.destroy(), Math.max(0, free - performance.now()) + 1);
  };
  from.on("close", end);
  from.on("error", () => {});
}

createServer({ noDelay: true }, (socket) => {
  const other = connect({ host: toHost, port: Number(toPort), noDelay: true });
  link(socket, other);
  link(other, socket);
}).listen(Number(fromPort), fromHost, () => console.error("slow link is open"));
