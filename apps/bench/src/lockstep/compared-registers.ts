/**
 * The registers that both processors are compared by: QEMU's names, and what each side has behind them.
 *
 * QEMU shows R0 to R7 of the x87 where gdb expects ST0 to ST7, no tags, and in 32-bit code the low halves alone.
 */
import type { Registers } from "@ringside/strategy";

export type Values = ReadonlyMap<string, bigint>;

const general = [
  "rax",
  "rbx",
  "rcx",
  "rdx",
  "rsi",
  "rdi",
  "rbp",
  "rsp",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
  "rip",
];
const selectors = ["cs", "ss", "ds", "es", "fs", "gs"];
const control = ["cr0", "cr2", "cr3", "cr4", "efer"];
const wide = 0xffff_ffff_ffff_ffffn;
const narrow = 0xffff_ffffn;
/** RF says how an instruction was come to, and is not kept by QEMU. */
const comparedFlags = ~0x1_0000n & narrow;
const longCode = 0x2000n;

/** Ours, as QEMU would show them. */
export function valuesOf(registers: Registers): Values {
  const isLong = ((registers["cs_attributes"] ?? 0n) & longCode) !== 0n;
  const read = (name: string): bigint => registers[name] ?? 0n;
  const values = new Map<string, bigint>();
  for (const name of general) values.set(name, read(name) & (isLong ? wide : narrow));
  values.set("eflags", read("rflags") & comparedFlags);
  for (const name of selectors) values.set(name, read(name));
  values.set("fs_base", read("fs_base") & (isLong ? wide : narrow));
  values.set("gs_base", read("gs_base") & (isLong ? wide : narrow));
  values.set("k_gs_base", read("kernel_gs_base") & (isLong ? wide : narrow));
  for (const name of control) values.set(name, read(name) & (isLong ? wide : narrow));
  const top = Number((read("fsw") >> 11n) & 7n);
  for (let physical = 0; physical < 8; physical += 1)
    values.set(`st${physical}`, read(`st${(physical - top + 8) % 8}`));
  values.set("fctrl", read("fcw"));
  values.set("fstat", read("fsw"));
  for (let number = 0; number < 16; number += 1) values.set(`xmm${number}`, read(`xmm${number}`));
  values.set("mxcsr", read("mxcsr"));
  return values;
}

export interface Difference {
  readonly name: string;
  readonly ours: bigint;
  readonly theirs: bigint;
}

/** Bits that the last instruction left undefined, by register. */
export type Undefined = ReadonlyMap<string, bigint>;

/** What differs, in the order of {@link valuesOf}. */
export function differences(
  ours: Values,
  theirs: Values,
  undefinedBits: Undefined = new Map(),
): readonly Difference[] {
  const found: Difference[] = [];
  for (const [name, value] of ours) {
    const other = theirs.get(name);
    if (other === undefined) continue;
    const compared = name === "eflags" ? comparedFlags : -1n;
    const mask = compared & ~(undefinedBits.get(name) ?? 0n);
    if ((value & mask) !== (other & mask)) found.push({ name, ours: value, theirs: other });
  }
  return found;
}
