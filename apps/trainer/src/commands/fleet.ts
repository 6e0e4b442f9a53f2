// iapo fleet
import { type AtServer, fleetDown, fleetUp, showStatus, type UpFlags } from "../fleet/up.ts";
import { type AddCommand, portNumber, wholeNumber } from "./command.ts";
import { word } from "./worker.ts";

const PORT = 4222;

export const addFleet: AddCommand = (program, run) => {
  const fleet = program
    .command("fleet")
    .description("workers over a NATS server: start them on this machine, look at them, remove a run");
  fleet
    .command("up")
    .description("start a nats-server on loopback and workers, and stop all when this is interrupted")
    .requiredOption("--run <name>", "the run's name on the server", word)
    .option("--workers <count>", "workers on this machine", wholeNumber, 1)
    .option("--port <number>", "of the server; 0 is one that is free", portNumber, PORT)
    .option("--store <directory>", "where the server keeps units and blobs; default runs/.fleet")
    .option("--trust", "workers load the modules that the run's configuration names")
    .action((flags: UpFlags) => run((io) => fleetUp(flags, io)));
  fleet
    .command("status")
    .description("who takes part in a run, what they do, how fast, and their last errors; watched for some seconds")
    .requiredOption("--server <url>", "such as nats://127.0.0.1:4222")
    .requiredOption("--run <name>", "the run's name on the server", word)
    .option("--json", "as JSON")
    .action((flags: AtServer & { json?: true }) => run((io) => showStatus(flags, io)));
  fleet
    .command("down")
    .description("remove what a run has left on a server; its workers end")
    .requiredOption("--server <url>", "such as nats://127.0.0.1:4222")
    .requiredOption("--run <name>", "the run's name on the server", word)
    .action((flags: AtServer) => run((io) => fleetDown(flags, io)));
};
