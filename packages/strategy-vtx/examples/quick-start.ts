import { nanoImage } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { vtx } from "@ringside/strategy-vtx";

const host = Host.create({ memoryBytes: 32 << 20 });
const guest = {
  kind: "kernel",
  image: nanoImage(),
  format: "elf64",
  commandLine: "bench=ptemod n=1000",
  memoryBytes: 16 << 20,
} as const;

using machine = vtx.create(host, guest);
machine.input.end();
const exit = machine.run(1_000_000_000);
console.log(exit); // => { reason: 'halted', value: 0 }
