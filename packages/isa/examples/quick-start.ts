import { assemble, HostMemory, Processor } from "@ringside/isa";

const memory = HostMemory.create({ physicalBytes: 1 << 20 });
const ports = { read: () => 0xff, write: () => undefined };
const interrupts = { acknowledge: () => 0, readTaskPriority: () => 0, writeTaskPriority: () => {} };
const processor = new Processor({ memory, ports, interrupts });
const source = "mov ecx, 10\n again: add eax, ecx\n dec ecx\n jnz again\n hlt";

memory.physical.write(0x1000, assemble(source, { mode: 32 }).bytes);
processor.state.enterProtectedMode32({ rip: 0x1000 });
console.log(processor.run(1_000)); // => { reason: 'halted' }
console.log(processor.state.rax, processor.instructions); // => 55n 32
