import { nanoImage } from "@ringside/guest";
import { Host } from "@ringside/strategy";
import { binaryTranslation } from "@ringside/strategy-binary-translation";

const host = Host.create({ memoryBytes: 32 << 20 });
const guest = {
  kind: "kernel",
  image: nanoImage(),
  format: "elf64",
  commandLine: "bench=call-ret n=1000",
  memoryBytes: 16 << 20,
} as const;

using machine = binaryTranslation.create(host, guest);
machine.input.end();
const exit = machine.run(1_000_000_000);
console.log(exit); // => { reason: 'halted', value: 0 }
