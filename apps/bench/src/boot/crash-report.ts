/** What a person needs to know of a machine that its guest broke: why, the registers, and the code that ran. */
import { disassemble, type CodeMode } from "@ringside/isa";
import type { Inspector, Registers } from "@ringside/strategy";

const codeBytes = 64;
const codeLines = 8;
const stackWords = 8;
const registersPerLine = 3;

/** Several lines, each with its end. */
export function crashReport(why: string, registers: Registers, inspect: Inspector): string {
  return [
    `The guest broke its machine: ${why}`,
    "",
    ...registerLines(registers),
    "",
    ...code(registers, inspect),
    ...stack(registers, inspect),
    "",
  ].join("\n");
}

function registerLines(registers: Registers): readonly string[] {
  const cells = Object.entries(registers).map(
    ([name, value]) => `${name.padEnd(7)} ${value.toString(16).padStart(16, "0")}`,
  );
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += registersPerLine)
    lines.push(cells.slice(at, at + registersPerLine).join("  "));
  return lines;
}

function code(registers: Registers, inspect: Inspector): readonly string[] {
  const rip = registers["rip"] ?? 0n;
  const linear = BigInt.asUintN(64, rip + (registers["cs_base"] ?? 0n));
  const bytes = readUpTo(inspect, linear, codeBytes);
  if (bytes.length === 0) return [`Code at ${hex(rip)}: nothing is mapped there.`];
  const lines = [`Code at ${hex(rip)}:`];
  for (const line of disassemble(bytes, { address: rip, mode: codeMode(registers) })) {
    if (lines.length > codeLines) break;
    const encoded = [...line.bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    lines.push(
      `  ${line.address.toString(16).padStart(16, "0")}  ${encoded.padEnd(32)}  ${line.text}`,
    );
  }
  return lines;
}

function stack(registers: Registers, inspect: Inspector): readonly string[] {
  const rsp = registers["rsp"] ?? 0n;
  const linear = BigInt.asUintN(64, rsp + (registers["ss_base"] ?? 0n));
  const bytes = readUpTo(inspect, linear, stackWords * 8);
  if (bytes.length < 8) return [`Stack at ${hex(rsp)}: nothing is mapped there.`];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words: string[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8)
    words.push(view.getBigUint64(at, true).toString(16).padStart(16, "0"));
  return [`Stack at ${hex(rsp)}:`, ...pairs(words)];
}

function pairs(words: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < words.length; at += 4) lines.push(`  ${words.slice(at, at + 4).join(" ")}`);
  return lines;
}

/** As much of a range as is mapped, from its beginning. */
function readUpTo(inspect: Inspector, linear: bigint, lengthBytes: number): Uint8Array {
  for (let length = lengthBytes; length > 0; length -= 1) {
    const bytes = inspect.readMemory(linear, length);
    if (bytes !== undefined) return bytes;
  }
  return new Uint8Array();
}

/** Bits of code, from the mode that the control registers select. Intel SDM Vol. 3A §2.2, "Modes of Operation". */
function codeMode(registers: Registers): CodeMode {
  const bit = (name: string, index: bigint): boolean =>
    (((registers[name] ?? 0n) >> index) & 1n) === 1n;
  const attributes = "cs_attributes" in registers;
  if (bit("efer", 10n) && (!attributes || bit("cs_attributes", 13n))) return 64;
  if (!bit("cr0", 0n)) return 16;
  return !attributes || bit("cs_attributes", 14n) ? 32 : 16;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
