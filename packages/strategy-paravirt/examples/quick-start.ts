import { nanoImage } from "@ringside/guest";
import { paravirt } from "@ringside/strategy-paravirt";

const native = {
  kind: "kernel",
  image: nanoImage(),
  format: "elf64",
  commandLine: "",
  memoryBytes: 16 << 20,
} as const;

console.log(paravirt.accepts(native).accepted); // => false
console.log(paravirt.accepts({ ...native, format: "xen-pv" }).accepted); // => true
