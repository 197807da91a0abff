import { assemble, HostMemory, Processor } from "@ringside/isa";
import { vmxExtension } from "@ringside/isa-vmx";

const memory = HostMemory.create({ physicalBytes: 4 << 20 });
const vmx = vmxExtension({ rootMode: "monitor" });
const ports = { read: () => 0xff, write: () => undefined };
const interrupts = {
  acknowledge: () => 0x20,
  readTaskPriority: () => 0,
  writeTaskPriority: () => undefined,
};
const processor = new Processor({ memory, ports, interrupts, extensions: [vmx] });
memory.physical.write(0x1000, assemble("mov eax, 1\ncpuid").bytes);

const control = vmx.of(processor);
for (const region of [0x10_0000, 0x10_1000]) memory.physical.writeU32(region, control.revision);
control.vmxon(0x10_0000);
control.vmclear(0x10_1000);
control.vmptrld(0x10_1000);
control.vmwrite("PIN_BASED_CONTROLS", 0);
console.log(control.launch().kind); // => failed
console.log(control.lastEntryFailure?.check); // => pin-based-controls
