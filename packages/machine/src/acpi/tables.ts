/**
 * The ACPI tables of the PC: RSDP, XSDT, FADT, FACS, MADT, HPET, DSDT.
 *
 * ACPI 6.5, section 5.2, "ACPI System Description Tables"; IA-PC HPET Specification 1.0a, section 3.2.4, "The ACPI 2.0
 * HPET Description Table".
 */
import {
  hpetBase,
  pciLines,
  powerControlPort,
  powerEventPort,
  powerTimerPort,
  resetPort,
  resetValue,
  sciLine,
} from "../platform.ts";
import { ioApicBase, ioApicId } from "../interrupts/io-apic.ts";
import { localApicBase } from "../interrupts/local-apic.ts";
import { ByteWriter } from "../loaders/byte-writer.ts";
import { dsdtCode } from "./dsdt.ts";

/** Tables as one block of bytes for a fixed place. */
export interface AcpiTables {
  readonly bytes: Uint8Array;
  /** Physical address of the RSDP, which is where the block begins. */
  readonly rsdp: number;
}

const headerBytes = 36;
const rsdpBytes = 36;
const oemId = "RNGSDE";
const oemTableId = "RINGSIDE";
const creatorId = "RNGS";

/** FADT flags: WBINVD works, C1 works, no sleep button, a timer of 32 bits, a reset register. */
const fadtFlags = 0x1 | 0x4 | 0x20 | 0x100 | 0x400;
/** IA-PC boot architecture flags: devices of the ISA bus, and an 8042. */
const bootArchitecture = 0x3;
const systemIo = 1;
const activeHighLevel = 0x000d;

/** @param base Physical address at which the block will lie, a multiple of 64. */
export function acpiTables(base: number): AcpiTables {
  const block = new Block(base);
  const rsdpAt = block.reserve(rsdpBytes);
  const facs = block.add(facsTable());
  const dsdt = block.add(table("DSDT", 2, Uint8Array.from(dsdtCode())));
  const xsdt = block.add(
    table(
      "XSDT",
      1,
      addresses(block.add(fadt(facs, dsdt)), block.add(madt()), block.add(hpetTable())),
    ),
  );
  block.write(rsdpAt, rootPointer(xsdt));
  return { bytes: block.bytes(), rsdp: rsdpAt };
}

/** Tables one behind the other, each at a multiple of 64, which FACS needs. */
class Block {
  readonly #base: number;
  readonly #parts: { at: number; bytes: Uint8Array }[] = [];
  #end: number;

  constructor(base: number) {
    this.#base = base;
    this.#end = base;
  }

  reserve(lengthBytes: number): number {
    const at = Math.ceil(this.#end / 64) * 64;
    this.#end = at + lengthBytes;
    return at;
  }

  write(at: number, bytes: Uint8Array): void {
    this.#parts.push({ at, bytes });
  }

  add(bytes: Uint8Array): number {
    const at = this.reserve(bytes.length);
    this.write(at, bytes);
    return at;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#end - this.#base);
    for (const { at, bytes } of this.#parts) all.set(bytes, at - this.#base);
    return all;
  }
}

/** Section 5.2.5.3, "Root System Description Pointer (RSDP) Structure". */
function rootPointer(xsdt: number): Uint8Array {
  const { bytes } = new ByteWriter(rsdpBytes)
    .text(0, "RSD PTR ")
    .text(9, oemId)
    .u32(20, rsdpBytes)
    .u64(24, xsdt);
  bytes[15] = 2; // revision
  bytes[8] = complement(bytes.subarray(0, 20));
  bytes[32] = complement(bytes);
  return bytes;
}

/** Section 5.2.6, "System Description Table Header". */
function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const { bytes } = new ByteWriter(headerBytes + body.length)
    .text(0, signature)
    .u32(4, headerBytes + body.length)
    .text(10, oemId)
    .text(16, oemTableId)
    .u32(24, 1)
    .text(28, creatorId)
    .u32(32, 1);
  bytes[8] = revision;
  bytes.set(body, headerBytes);
  bytes[9] = complement(bytes);
  return bytes;
}

function addresses(...tables: readonly number[]): Uint8Array {
  const writer = new ByteWriter(8 * tables.length);
  tables.forEach((at, index) => writer.u64(8 * index, at));
  return writer.bytes;
}

/** Section 5.2.10, "Firmware ACPI Control Structure (FACS)": nobody waits for its lock. */
function facsTable(): Uint8Array {
  const { bytes } = new ByteWriter(64).text(0, "FACS").u32(4, 64);
  bytes[32] = 2; // version
  return bytes;
}

/** Section 5.2.9, "Fixed ACPI Description Table (FADT)". Offsets are those of the specification, header included. */
function fadt(facs: number, dsdt: number): Uint8Array {
  const fields = new ByteWriter(244)
    .u32(36, facs)
    .u32(40, dsdt)
    .u16(46, sciLine)
    .u32(56, powerEventPort)
    .u32(64, powerControlPort)
    .u32(76, powerTimerPort)
    .u16(96, 0xffff) // no C2
    .u16(98, 0xffff) // no C3
    .u16(109, bootArchitecture)
    .u32(112, fadtFlags)
    .u64(132, facs)
    .u64(140, dsdt);
  const { bytes } = fields;
  bytes[88] = 4; // PM1_EVT_LEN
  bytes[89] = 2; // PM1_CNT_LEN
  bytes[91] = 4; // PM_TMR_LEN
  bytes[108] = 0x32; // where the clock has its century
  portRegister(fields, 116, resetPort, 8);
  bytes[128] = resetValue;
  portRegister(fields, 148, powerEventPort, 32);
  portRegister(fields, 172, powerControlPort, 16);
  portRegister(fields, 208, powerTimerPort, 32);
  return table("FACP", 3, bytes.subarray(headerBytes));
}

/** Section 5.2.3.2, "Generic Address Structure". */
function portRegister(fields: ByteWriter, at: number, port: number, widthBits: 8 | 16 | 32): void {
  fields.bytes.set([systemIo, widthBits, 0, widthBits === 8 ? 1 : widthBits === 16 ? 2 : 3], at);
  fields.u64(at + 4, port);
}

/** Section 5.2.12, "Multiple APIC Description Table (MADT)". */
function madt(): Uint8Array {
  const little = (value: number): number[] =>
    [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
  const override = (line: number, pin: number, flags: number): number[] => [
    2,
    10,
    0,
    line,
    ...little(pin),
    flags & 0xff,
    flags >> 8,
  ];
  return table(
    "APIC",
    3,
    Uint8Array.from([
      ...little(localApicBase),
      ...little(1), // There is an 8259 pair, too.
      ...[0, 8, 0, 0, ...little(1)], // processor 0, APIC id 0, enabled
      ...[1, 12, ioApicId, 0, ...little(ioApicBase), ...little(0)],
      ...override(0, 2, 0),
      ...[sciLine, ...pciLines].flatMap((line) => override(line, line, activeHighLevel)),
      ...[4, 6, 0xff, 0, 0, 1], // NMI at LINT1 of all processors
    ]),
  );
}

function hpetTable(): Uint8Array {
  const { bytes } = new ByteWriter(20).u32(0, 0x8086_a201).u64(8, hpetBase);
  return table("HPET", 1, bytes);
}

/** The byte that makes the sum of all 0. */
function complement(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}
