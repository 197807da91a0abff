import { encodePacket, PacketReader, targetRegisters } from "@ringside/gdb";

const reader = new PacketReader();
const [event] = reader.push(encodePacket("vCont;c"));
console.log(event); // => { kind: 'packet', data: 'vCont;c' }

const rip = targetRegisters.findIndex(({ name }) => name === "rip");
console.log(rip, targetRegisters[rip]?.bits); // => 16 64
