import { nanoXenImage } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { paravirt } from "@ringside/strategy-paravirt";

const host = Host.create({ memoryBytes: 32 << 20 });
const guest = {
  kind: "kernel",
  image: nanoXenImage(),
  format: "xen-pv",
  commandLine: "bench=ptemod n=1000",
  memoryBytes: 16 << 20,
} as const;

using machine = paravirt.create(host, guest);
machine.input.end();
const exit = machine.run(1_000_000_000);
console.log(exit); // => { reason: 'halted', value: 0 }
