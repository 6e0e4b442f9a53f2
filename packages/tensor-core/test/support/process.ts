// Programs that a test runs as processes of their own: process.ts <program>. What they print, the test reads.
import { type Device, matmul, openDevice, randomNormal, scope, TensorError } from "../../src/index.ts";
import { Transformer } from "./transformer.ts";

const programs: Record<string, () => Promise<void>> = {
  /** Ends while the device is open and work is under way. */
  async pending() {
    const device = await openDevice();
    multiply(device, 8);
    device.flush();
    console.log("end of program");
  },

  /** Trains until it is killed. */
  async train() {
    const model = new Transformer(await openDevice(), "process");
    for (let step = 1; ; step++) {
      using loss = model.step();
      console.log(`step ${step}: ${await loss.item()}`);
    }
  },

  /** Trains until SIGINT, then frees everything. */
  async trainUntilInterrupted() {
    const device = await openDevice();
    const model = new Transformer(device, "process");
    let interrupted = false;
    process.once("SIGINT", () => {
      interrupted = true;
    });
    for (let step = 1; !interrupted; step++) {
      using loss = model.step();
      console.log(`step ${step}: ${await loss.item()}`);
    }
    model.dispose();
    console.log(`${device.memory().liveBytes} bytes left`);
    device.close();
  },

  /** Trains on a device that goes away. */
  async deviceDestroyed() {
    const device = await openDevice();
    const model = new Transformer(device, "process");
    try {
      for (let step = 1; ; step++) {
        using loss = model.step();
        if (step === 4) device.gpu?.destroy();
        console.log(`step ${step}: ${await loss.item()}`);
      }
    } catch (error) {
      console.log(error instanceof TensorError ? error.code : String(error));
    }
  },

  /** Waits for the GPU for a while; prints milliseconds, and those that its main thread computed meanwhile. */
  async waiting() {
    using device = await openDevice();
    multiply(device, 1);
    await device.idle();
    for (let products = 8; ; products *= 2) {
      multiply(device, products);
      device.flush();
      const [start, before] = [performance.now(), process.threadCpuUsage()];
      await device.idle();
      const wall = performance.now() - start;
      const { user, system } = process.threadCpuUsage(before);
      if (wall < 400) continue;
      console.log(JSON.stringify({ wall, busy: (user + system) / 1000 }));
      return;
    }
  },
};

/** Records `products` products of large matrices. */
function multiply(device: Device, products: number): void {
  scope(() => {
    const a = randomNormal(device, [1024, 1024], [1, 2]);
    for (let i = 0; i < products; i++) matmul(a, a);
  });
}

const program = programs[process.argv[2] ?? ""];
if (!program) throw new Error(`usage: process.ts ${Object.keys(programs).join(" | ")}`);
await program();
