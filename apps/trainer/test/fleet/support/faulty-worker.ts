// A real worker process with a fault of its own: node faulty-worker.ts FAULT...; with several, one worker after the other in the same process.
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { FleetError, type Member, parentTransport, work } from "@iapo/fleet";
import { openMember } from "@iapo/jobs";
import { openDevice } from "@iapo/tensor-core";

/** Milliseconds that a slow worker needs for its first unit beside what it takes. */
const SLOW = 15_000;

const faults: Readonly<Record<string, (member: Member) => Member>> = {
  none: (member) => member,
  "other-weights": (member) => member, // by its setting
  "other-version": (member) => withFact(member, "version of @iapo/grpo", "0.0.1"),
  "other-kernels": (member) => withFact(member, "kernels", "of another card"),
  "other-adapter": (member) => withFact(member, "adapter", "another card"),
  slow(member) {
    let isFirst = true;
    return handling(member, async (made) => {
      if (isFirst) {
        isFirst = false;
        await sleep(SLOW);
      }
      return made;
    });
  },
  "wrong-bits": (member) =>
    handling(member, async (made, role) => {
      const changed = Uint8Array.from(made);
      const last = changed.length - 4; // of the last gradient
      if (role === "gradient") changed[last] = (changed[last] ?? 0) ^ 1;
      return changed;
    }),
  hostile: (member) => handling(member, async () => Uint8Array.from({ length: 5000 }, (_, i) => (i * 167) % 256)),
};

function withFact(member: Member, name: string, value: string): Member {
  return { ...member, facts: { ...(member.facts as Record<string, string>), [name]: value } };
}

function handling(member: Member, change: (made: Uint8Array, role: string) => Promise<Uint8Array>): Member {
  return {
    ...member,
    handle: async (role, header, context) => change(await member.handle(role, header, context), role),
  };
}

using device = await openDevice();
const stop = new AbortController();
process.once("disconnect", () => stop.abort());
const { signal } = stop;
const transport = parentTransport();
for (const fault of process.argv.slice(2)) {
  const set = fault === "other-weights" ? ["model.directory=nano-teacher"] : [];
  const open = async (announced: unknown): Promise<Member> => {
    const make = faults[fault];
    if (!make) throw new Error(`${hostname()} knows no fault ${fault}`);
    return make(await openMember(announced, { device, set, trust: false, signal }));
  };
  await work({ transport, id: fault, open, signal }).catch((error: unknown) => {
    if (!(error instanceof FleetError) || error.code !== "refused") throw error;
  });
}
await transport.close();
