// Whether a server is reached, in a process of its own, as authorities are read when a process begins: node meet.ts SERVER; it prints what came of it.
import { natsTransport } from "@iapo/fleet";

const [server = ""] = process.argv.slice(2);
try {
  const door = await natsTransport({ server, run: "meeting" });
  const hash = await door.putBlob(Uint8Array.of(1, 2, 3));
  console.log(`reached: ${(await door.getBlob(hash)).join()}`);
  await door.close();
} catch (error) {
  console.log((error as Error).message);
}
