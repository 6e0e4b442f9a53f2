// A child process that does with its door to the fleet what its parent asks for, and says what came of it.
import { type Claim, parentTransport } from "@iapo/fleet";

const door = parentTransport();
const claims = new Map<string, Claim>();
const stops = new Map<number, AbortController>();
const watches = new Map<number, () => void>();

type Asked = { readonly ask: number; readonly method: string; readonly args: unknown[] };

async function answer({ ask, method, args }: Asked): Promise<unknown> {
  if (method === "claim") {
    const stop = new AbortController();
    stops.set(ask, stop);
    const claim = await door.claim(args[0] as string[], stop.signal);
    claims.set(claim.unit, claim);
    return { unit: claim.unit, body: claim.body, delivery: claim.delivery };
  }
  if (method === "cancel") return stops.get(args[0] as number)?.abort(new Error("stopped"));
  if (method === "settle") return claims.get(args[0] as string)?.[args[1] as "working" | "done" | "release"]();
  if (method === "watch") {
    const tell = (key: string, value: Uint8Array | undefined) => process.send?.({ seen: ask, key, value });
    watches.set(ask, await door.watch(args[0] as string, tell));
    return undefined;
  }
  if (method === "unwatch") return watches.get(args[0] as number)?.();
  const call = door[method as "set"] as (...given: unknown[]) => Promise<unknown>;
  return call.apply(door, args);
}

process.on("message", (message: Asked | object) => {
  if (!("ask" in message)) return;
  answer(message).then(
    (value) => process.send?.({ answered: message.ask, value }),
    (error: { code?: string; message: string }) =>
      process.send?.({ answered: message.ask, error: { code: error.code, message: error.message } }),
  );
});
