/**
 * The form of a row: what an instruction's file says, checked when it is loaded.
 *
 * A template literal keeps the encodings in the SDM's notation and survives formatters.
 */
import type { Operand, SemanticsBuilder, StatusFlag } from "./semantics.ts";

/**
 * Popek and Goldberg's classes. `privileged` traps outside CPL 0; `sensitive` reads or changes privileged state without
 * trapping there; the rest is `innocuous`. An instruction can be sensitive and privileged, which is harmless.
 */
export interface Classification {
  /** Raises #GP(0) (or #UD) outside the most privileged ring. `io` depends on IOPL and the I/O bitmap; `cr4` on a CR4 bit. */
  readonly privilege: "none" | "cpl0" | "iopl" | "io" | "cr4";
  /** What it reads or changes that belongs to the machine and not to the program, or undefined when innocuous. */
  readonly sensitive?: "control" | "behaviour";
  /** One sentence: why it is sensitive. */
  readonly why?: string;
}

/** What an encoding does with an operand: read, written, read then written, read sign-extended, or only named. */
export type Access = "r" | "w" | "rw" | "sx" | "n";

/** One row of the opcode table. */
export interface Encoding {
  /** The SDM's opcode column, as written. */
  readonly opcode: string;
  /** The SDM's instruction column, as written: mnemonic and operands. */
  readonly instruction: string;
  readonly access: readonly Access[];
  /** Modes the encoding exists in. */
  readonly modes: "all" | "64" | "legacy";
}

/** One instruction: a mnemonic with its encodings and its meaning. */
export interface Instruction {
  /** Lower case, as the SDM's mnemonic (`add`, `jcc` families have one instruction for each mnemonic). */
  readonly mnemonic: string;
  /** Volume and title of its page: `Intel SDM Vol. 2A, ADD—Add`. */
  readonly reference: string;
  readonly encodings: readonly Encoding[];
  readonly flags?: {
    readonly reads?: readonly StatusFlag[];
    readonly writes?: readonly StatusFlag[];
    /** Flags that the manual leaves undefined; vectors do not compare them. */
    readonly undefined?: readonly StatusFlag[];
  };
  /** LOCK is allowed with a memory destination; else it is #UD. */
  readonly lockable?: boolean;
  /** CPUID feature that it needs (`sse2`); #UD without. */
  readonly feature?: string;
  /** Default: innocuous. */
  readonly classification?: Classification;
  /** String instructions: the REP prefixes that mean something. One execution of the semantics is one iteration. */
  readonly repeatable?: "rep" | "repe-repne";
  /** What is checked before the count of a REP prefix, and so even when that is zero, and again in each iteration. */
  readonly precondition?: (m: SemanticsBuilder) => void;
  /** The address size is part of the meaning (string instructions, LOOP, JCXZ). */
  readonly addressSized?: boolean;
  /** A memory operand is addressed with the stack pointer that the instruction leaves (POP). */
  readonly popsBeforeAddress?: boolean;
  /** Ends a decoded run: the next instruction may not follow (transfers, mode changes, HLT). */
  readonly ends?: boolean;
  /** Counted by mnemonic each time it retires, as all system instructions are. */
  readonly counted?: boolean;
  readonly semantics: (m: SemanticsBuilder, ...operands: Operand[]) => void;
}

/**
 * Reads rows of `Opcode | Instruction | Access [| Mode]`.
 *
 * Notation of the opcode column: hexadecimal bytes; `NP 66 F2 F3` mandatory prefixes; `REX.W`; `o16 o32` the effective
 * operand size; `o64` the size 64 that needs no REX.W in 64-bit mode (PUSH, near branches take no token);
 * `a16 a32 a64` the effective address size; `/r`, `/0` to `/7`; `ib iw id io` immediates, `cb cw cd` relative offsets;
 * `+rb +rw +rd +ro` a register in the opcode byte; a literal byte after the opcode where the manual has one (`0F 01 F8`).
 * Operands: `r8 r16 r32 r64 r/m8 … r/m64 m m8 m16 m32 m64 m80 m128 m16&32 m16&64 imm8 … imm64 rel8 rel16 rel32`
 * `AL AX EAX RAX CL DX 1 3 Sreg CR0-CR7 CR8 DR0-DR7 xmm1 xmm2 xmm1/m32 xmm2/m64 xmm2/m128 mm mm/m64 ST(0) ST(i)`
 * `moffs8 … moffs64 ptr16:16 ptr16:32 m16:16 m16:32 m16:64`, and fixed registers by name.
 * Mode: `64`, `legacy`, or nothing for both. `0F 0D /r` and the like may use `-` for no operands' access.
 *
 * @throws {SyntaxError} A malformed row, quoted.
 */
export function opcodes(text: TemplateStringsArray): readonly Encoding[] {
  const encodings: Encoding[] = [];
  for (const line of (text[0] ?? "").split("\n")) {
    const row = line.trim();
    if (row === "" || row.startsWith("Opcode")) continue;
    encodings.push(parseRow(row));
  }
  if (encodings.length === 0)
    throw new SyntaxError("An instruction has no encodings. Write at least one row.");
  return encodings;
}

const ACCESS: ReadonlySet<string> = new Set(["r", "w", "rw", "sx", "n"]);

function isAccess(word: string): word is Access {
  return ACCESS.has(word);
}

function parseRow(row: string): Encoding {
  const columns = row.split("|").map((column) => column.trim());
  const [opcode, instruction, access = "", mode = ""] = columns;
  if (
    opcode === undefined ||
    instruction === undefined ||
    opcode === "" ||
    instruction === "" ||
    columns.length > 4
  ) {
    throw new SyntaxError(
      `Malformed row "${row}". Expected "Opcode | Instruction | Access [| Mode]".`,
    );
  }
  const words = access === "-" || access === "" ? [] : access.split(/\s+/u);
  const accesses = words.filter(isAccess);
  if (accesses.length !== words.length) {
    throw new SyntaxError(
      `Unknown access in row "${row}". Use r, w, rw, sx or n for each operand.`,
    );
  }
  if (mode !== "" && mode !== "64" && mode !== "legacy") {
    throw new SyntaxError(`Unknown mode in row "${row}". Use 64, legacy or nothing.`);
  }
  return { opcode, instruction, access: accesses, modes: mode === "" ? "all" : mode };
}
