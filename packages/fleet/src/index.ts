// Units of work on many workers, to the same bits: queue, blobs and results in a process, in child processes, or by NATS JetStream.
export { hashOf } from "./blob.ts";
export { Crew } from "./crew.ts";
export type { CrewCounts, CrewMember, CrewOptions, CrewStep, UnitOf, WorkDone } from "./crew-parts.ts";
export { FleetError, type FleetErrorCode } from "./error.ts";
export { arrayOf, type Frame, type Numbers, packFrame, unpackFrame } from "./frame.ts";
export { Hub, type HubOptions } from "./hub.ts";
export { type NatsServer, type NatsServerOptions, startNatsServer } from "./nats/server.ts";
export { type NatsOptions, natsTransport, removeFleet } from "./nats/transport.ts";
export { parentTransport } from "./processes/parent.ts";
export { serveChild } from "./processes/serve.ts";
export { type StartedWorkers, type StartOptions, startWorkers } from "./processes/start.ts";
export type { Answerer } from "./questions.ts";
export { type FleetStatus, fleetStatus, type SeenWorker } from "./status.ts";
export type { Claim, KeyListener, Transport } from "./transport.ts";
export { type Member, type UnitContext, type WorkOptions, work } from "./worker.ts";
