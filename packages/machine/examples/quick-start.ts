import { assemble, HostMemory } from "@ringside/isa";
import { enterKernel, loadKernel, Machine } from "@ringside/machine";

const memoryBytes = 4 << 20;
const { bytes: image } = assemble("mov al, 'A'\n out 0xe9, al\n mov eax, 42\n out 0xf4, eax\n hlt");
const memory = HostMemory.create({ physicalBytes: memoryBytes });
const entry = loadKernel(memory.physical, memoryBytes, { image, format: "flat", commandLine: "" });
const onDebug = (text: Uint8Array): void => console.log(new TextDecoder().decode(text));
const machine = new Machine({ memory, memoryBytes, epochSeconds: 0, onDebug });

enterKernel(machine.processor.state, entry);
const exit = machine.run(1_000_000); // => A
console.log(exit); // => { reason: 'powered-off', value: 42 }
