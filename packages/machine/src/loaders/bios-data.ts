/**
 * What a PC's firmware says of itself below the kernel: the BIOS data area, of which kernels read a few words.
 *
 * IBM Personal Computer AT Technical Reference, "BIOS Data Area". Xen finds room for its real-mode code by it; Linux keeps
 * off what is behind the extended area.
 */
import { ByteWriter } from "./byte-writer.ts";

export const biosDataBase = 0x400;
const biosDataBytes = 0x100;
const firstSerialPort = 0x3f8;
/** One serial port (bits 11:9), a coprocessor (bit 1). */
const equipment = (1 << 9) | (1 << 1);

/** @param conventionalEnd Where memory below 640 KiB ends that is not the firmware's, a multiple of 1024. */
export function biosData(conventionalEnd: number): Uint8Array {
  return new ByteWriter(biosDataBytes)
    .u16(0x00, firstSerialPort)
    .u16(0x0e, conventionalEnd >> 4) // segment of the extended BIOS data area
    .u16(0x10, equipment)
    .u16(0x13, conventionalEnd >> 10).bytes; // size of conventional memory in KiB
}
