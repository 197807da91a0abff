/**
 * Puts the whole state of our machine into QEMU: memory as a file, and registers.
 *
 * gdb's protocol writes most registers. The others are loaded by instructions that QEMU executes first, in a helper
 * area above the guest's memory: descriptor-table registers, model-specific registers, x87 and SSE by FXRSTOR. LTR
 * and LLDT read the guest's own tables, so they run once its CR3 is in force, in the place of the guest's next bytes.
 */
import { assemble } from "@ringside/isa";
import type { PhysicalMemory } from "@ringside/isa";
import type { Inspector, Registers } from "@ringside/strategy";
import { CommandError } from "../failure.ts";
import { differences, valuesOf } from "./compared-registers.ts";
import type { Qemu } from "./qemu.ts";

/** Above the guest's memory: page tables of 24 KiB, then data and code. */
export const helperBytes = 0x1_0000;

const offsets = { tables: 0, data: 0x8000, fxArea: 0x8800, code: 0x9000 } as const;
const pageBytes = 4096;
const copyBytes = 1 << 24;
const present = 3n;
const largePage = 0x83n;
const gibibytes = 4;
const temporary = { code: 0x00af_9b00_0000_ffffn, data: 0x00cf_9300_0000_ffffn };
const longMode = { efer: 0x901n, cr4: 0x620n, cr0: 0x8001_0033n };
const longActive = 0x400n;
const writeProtect = 0x1_0000n;
const stepsMaximum = 200;

export interface Transplanted {
  readonly physical: PhysicalMemory;
  readonly memoryBytes: number;
  readonly registers: Registers;
  readonly inspect: Inspector;
}

/** @throws {CommandError} QEMU did not take it, which it then shows. */
export async function transplant(machine: Transplanted, qemu: Qemu): Promise<void> {
  const { client, memory } = qemu;
  const { registers, memoryBytes, physical } = machine;
  for (let at = 0; at < memoryBytes; at += copyBytes) {
    const length = Math.min(copyBytes, memoryBytes - at);
    await memory.write(physical.read(at, length), 0, length, at);
  }
  const helper = memoryBytes;
  const { bytes, end } = helperArea(helper, registers);
  await memory.write(bytes, 0, bytes.length, helper);

  // CS is loaded from the table at 0, where GDTR points after reset.
  const low = physical.read(0, 24);
  const table = new Uint8Array(24);
  new DataView(table.buffer).setBigUint64(8, temporary.code, true);
  new DataView(table.buffer).setBigUint64(16, temporary.data, true);
  await memory.write(table, 0, table.length, 0);
  const set = (name: string, value: bigint): Promise<void> => client.writeRegister(name, value);
  await set("efer", longMode.efer);
  await set("cr4", longMode.cr4);
  await set("cr3", BigInt(helper + offsets.tables));
  await set("cr0", longMode.cr0);
  await set("cs", 8n);
  await set("ss", 16n);
  await set("eflags", 2n);
  await memory.write(low, 0, low.length, 0);
  await stepTo(qemu, BigInt(helper + offsets.code), end);

  const read = (name: string): bigint => registers[name] ?? 0n;
  const isLong = (read("efer") & longActive) !== 0n;
  if (!isLong) await set("cr0", read("cr0"));
  await set("efer", read("efer"));
  await set("cr4", read("cr4"));
  await set("cr3", read("cr3"));
  await set("cr0", read("cr0"));
  await loadTask(machine, qemu);
  for (const name of ["ds", "es", "fs", "gs", "ss", "cs"]) await set(name, read(name));
  await set("fs_base", read("fs_base"));
  await set("gs_base", read("gs_base"));
  await set("k_gs_base", read("kernel_gs_base"));
  await set("cr2", read("cr2"));
  await set("eflags", read("rflags"));
  for (const [name, value] of valuesOf(registers)) if (name.startsWith("r")) await set(name, value);

  const left = differences(valuesOf(registers), await client.registers());
  if (left.length > 0) {
    const names = left.map(
      ({ name, ours, theirs }) => `${name} (${hex(ours)}, not ${hex(theirs)})`,
    );
    throw new CommandError(`QEMU did not take the machine's state: ${names.join(", ")}.`);
  }
}

/** Tables, data and code above the guest's memory. */
function helperArea(
  helper: number,
  registers: Registers,
): { readonly bytes: Uint8Array; readonly end: bigint } {
  const bytes = new Uint8Array(helperBytes);
  const view = new DataView(bytes.buffer);
  const read = (name: string): bigint => registers[name] ?? 0n;
  view.setBigUint64(0, BigInt(helper + pageBytes) | present, true);
  for (let index = 0; index < gibibytes; index += 1) {
    const directory = helper + pageBytes * (2 + index);
    view.setBigUint64(pageBytes + 8 * index, BigInt(directory) | present, true);
    for (let page = 0; page < 512; page += 1) {
      const linear = BigInt(index * 512 + page) << 21n;
      view.setBigUint64(pageBytes * (2 + index) + 8 * page, linear | largePage, true);
    }
  }
  view.setUint16(offsets.data, Number(read("gdtr_limit")), true);
  view.setBigUint64(offsets.data + 2, read("gdtr_base"), true);
  view.setUint16(offsets.data + 16, Number(read("idtr_limit")), true);
  view.setBigUint64(offsets.data + 18, read("idtr_base"), true);
  writeFxArea(view, registers);
  const writes = modelSpecific.map(
    ([index, name]) => `mov ecx, ${index}
      mov eax, ${read(name) & 0xffff_ffffn}
      mov edx, ${read(name) >> 32n}
      wrmsr`,
  );
  const { bytes: code } = assemble(
    `${writes.join("\n")}
      mov rax, ${helper}
      fxrstor64 [rax + ${offsets.fxArea}]
      lidt [rax + ${offsets.data + 16}]
      lgdt [rax + ${offsets.data}]`,
    { address: BigInt(helper + offsets.code) },
  );
  bytes.set(code, offsets.code);
  return { bytes, end: BigInt(helper + offsets.code + code.length) };
}

/** Numbers of model-specific registers. Intel SDM Vol. 4 §2.1, "Architectural MSRs". */
const modelSpecific = [
  [0xc000_0081, "star"],
  [0xc000_0082, "lstar"],
  [0xc000_0083, "cstar"],
  [0xc000_0084, "sfmask"],
] as const;

/** The 64-bit image. Intel SDM Vol. 1 §10.5.1, "FXSAVE Area". */
function writeFxArea(view: DataView, registers: Registers): void {
  const read = (name: string): bigint => registers[name] ?? 0n;
  const at = offsets.fxArea;
  const tags = read("ftw");
  let abridged = 0;
  for (let register = 0; register < 8; register += 1)
    if (((tags >> BigInt(register * 2)) & 3n) !== 3n) abridged |= 1 << register;
  view.setUint16(at, Number(read("fcw")), true);
  view.setUint16(at + 2, Number(read("fsw")), true);
  view.setUint8(at + 4, abridged);
  view.setUint16(at + 6, Number(read("fop")), true);
  view.setBigUint64(at + 8, read("fip"), true);
  view.setBigUint64(at + 16, read("fdp"), true);
  view.setUint32(at + 24, Number(read("mxcsr")), true);
  const wide = (offset: number, value: bigint): void => {
    view.setBigUint64(offset, BigInt.asUintN(64, value), true);
    view.setBigUint64(offset + 8, value >> 64n, true);
  };
  for (let index = 0; index < 8; index += 1) wide(at + 32 + index * 16, read(`st${index}`));
  for (let number = 0; number < 16; number += 1) wide(at + 160 + number * 16, read(`xmm${number}`));
}

/** TR and LDTR, from the guest's table. LTR wants a task that is not busy, and marks it busy again. */
async function loadTask({ registers, inspect }: Transplanted, { client }: Qemu): Promise<void> {
  const read = (name: string): bigint => registers[name] ?? 0n;
  const code: number[] = [];
  if ((read("tr") & ~7n) !== 0n) {
    const type = read("gdtr_base") + (read("tr") & ~7n) + 5n;
    const [byte = 0] = inspect.readMemory(type, 1) ?? [];
    await client.writeMemory(type, Uint8Array.of(byte & ~2));
    code.push(0x0f, 0x00, 0xd8); // ltr ax
  }
  if ((read("ldtr") & ~3n) !== 0n) code.push(0x0f, 0x00, 0xd1); // lldt cx
  if (code.length === 0) return;
  const rip = read("rip");
  const saved = inspect.readMemory(rip, code.length);
  if (saved === undefined)
    throw new CommandError("The guest's next instruction is not mapped. Begin at another place.");
  await client.writeMemory(rip, Uint8Array.from(code));
  await client.writeRegister("rax", read("tr"));
  await client.writeRegister("rcx", read("ldtr"));
  // Linux has its table mapped read-only, and LTR writes to it.
  await client.writeRegister("cr0", read("cr0") & ~writeProtect);
  await stepTo({ client }, rip, rip + BigInt(code.length));
  await client.writeRegister("cr0", read("cr0"));
  await client.writeMemory(rip, saved);
}

/** Executes from one place to another, without a jump between. */
async function stepTo({ client }: Pick<Qemu, "client">, from: bigint, to: bigint): Promise<void> {
  await client.writeRegister("rip", from);
  for (let steps = 0; steps < stepsMaximum; steps += 1) {
    const rip = (await client.registers()).get("rip") ?? 0n;
    if (rip === to) return;
    if (rip < from || rip > to)
      throw new CommandError(`QEMU left the code that sets it up, for ${hex(rip)}.`);
    await client.step();
  }
  throw new CommandError("QEMU does not get through the code that sets it up.");
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
