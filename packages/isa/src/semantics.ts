/**
 * The vocabulary in which instructions and processor routines are written.
 *
 * A meaning is an ordinary function over a {@link SemanticsBuilder}. It runs once, when the table is built, and
 * records micro-operations; interpreter handlers (and later JIT code) are emitted from those. So semantics must not
 * branch on guest values in TypeScript: they use `select`, `when` and `loop`. They may branch on what is fixed for a
 * form: `m.width`, `m.mode`, `m.addressWidth`, `m.repeat`, an operand's kind.
 *
 * Conventions:
 * - Integers are `i64` values, zero-extended from the width they were read at. An operation with an optional `width`
 *   works at `m.width` unless told otherwise and leaves its result zero-extended from that width.
 * - Comparisons give an `i32` that is 0 or 1. A condition may be `i32` or `i64`; non-zero is true.
 * - Operations happen in the order in which they are written. A fault abandons the rest, so memory accesses and checks
 *   come before the first write to a register or flag.
 */
import type { Slot } from "./state/layout.ts";

/** Width of an integer operation, in bits. */
export type Width = 8 | 16 | 32 | 64;

/** The arithmetic flags, in the manual's names. Intel SDM Vol. 1 §3.4.3.1, "Status Flags". */
export type StatusFlag = "CF" | "PF" | "AF" | "ZF" | "SF" | "OF";

/**
 * The exceptions that semantics raise. Intel SDM Vol. 3A §6.3, "Sources of Interrupts".
 *
 * `EXIT` is none: it abandons the instruction for the processor's extension, with its reason as the error code
 * (extension.ts). Only the code of extensions raises it.
 */
export type ExceptionName =
  | "DE"
  | "DB"
  | "BP"
  | "OF"
  | "BR"
  | "UD"
  | "NM"
  | "DF"
  | "TS"
  | "NP"
  | "SS"
  | "GP"
  | "PF"
  | "MF"
  | "AC"
  | "XM"
  | "EXIT";

/** WebAssembly's value types; a recorded value has one. */
export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

/** A recorded value. Opaque to semantics, which only pass it on. */
export interface Value {
  readonly type: ValueType;
}

/** A mutable local of one execution of one instruction. */
export interface Variable {
  readonly type: ValueType;
}

/** A condition: non-zero is true. */
export type Condition = Value;

/** How an operand of a row reaches the semantics. Which of them an `r/m` is, is fixed for a form. */
export type OperandKind =
  | "register"
  | "memory"
  | "immediate"
  | "relative"
  | "segment"
  | "control"
  | "debug"
  | "xmm"
  | "mmx"
  | "x87"
  | "far-pointer"
  | "constant";

/** An operand as the semantics see it: a place, not a value. */
export interface Operand {
  readonly kind: OperandKind;
  /** Size of the operand in bits: 8 to 128; 0 for a memory operand without a size (LEA, FXSAVE). */
  readonly bits: number;
}

/**
 * Whose rights an access to linear memory uses. `system` is an implicit supervisor access (descriptor tables, TSS);
 * `stack` has the current rights and is a reference to the stack segment, whose faults are #SS instead of #GP.
 */
export type Privilege = "current" | "system" | "stack";

/** A function from JavaScript that semantics may call by name: rare, complex work over the same state block. */
export type HelperName = string;

/** A named function written in the same vocabulary and shared by instructions, such as the page walk. */
export interface Routine {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
  /** Whether it may raise an exception; callers then stop after it when it did. */
  readonly raises: boolean;
  readonly body: (m: SemanticsBuilder, ...parameters: Value[]) => Value | void;
  /** The routine of the same name whose place this one takes among an engine's own: calls of that one reach this one. */
  readonly replaces?: Routine;
}

/**
 * Records the meaning of one form of an instruction, or of a routine.
 *
 * In a routine there is no record: {@link width} is 64, and everything under "Operands" and "Control transfer" throws.
 */
export interface SemanticsBuilder {
  // What is fixed for the form being recorded.
  /** Width of the operation: that of the first operand, else the row's operand size. */
  readonly width: Width;
  /** Bits of code the form executes in. 16 and 32 are protected-mode code segments with CS.L = 0. */
  readonly mode: 16 | 32 | 64;
  /** Address size, for rows marked `addressSized`; else that of the mode. */
  readonly addressWidth: 16 | 32 | 64;
  /** REP prefix, for rows with `repeatable`. */
  readonly repeat: "none" | "rep" | "repe" | "repne";

  // Operands.
  /**
   * Reads an operand. Integers come zero-extended to 64 bits, or sign-extended to {@link width} where the row's access
   * is `sx`. XMM operands: 128 bits as `v128`; for `xmm/m64` and `xmm/m32` memory forms and scalar reads use {@link readAs}.
   * A memory operand with access `rw` is probed for writing, so that the fault is that of a write.
   */
  read(operand: Operand): Value;
  /** Writes an operand, truncating to its size. A 32-bit general register is zero-extended to 64. XMM: all 128 bits. */
  write(operand: Operand, value: Value): void;
  /** Reads the low `bytes` of an XMM, MMX or memory operand as `type` (for example `f64`, 8). */
  readAs(operand: Operand, type: ValueType, bytes: 1 | 2 | 4 | 8 | 16): Value;
  /** Writes the low `bytes` of an XMM, MMX or memory operand and leaves the rest of a register as it is. */
  writeAs(operand: Operand, value: Value, bytes: 1 | 2 | 4 | 8 | 16): void;
  /** Effective address of a memory operand, before the segment base, truncated to the address size (LEA). */
  effectiveAddress(operand: Operand): Value;
  /** Linear address of a memory operand. */
  linearAddress(operand: Operand): Value;
  /** Number of the register an operand names (CR n, DR n, segment n, ST(i)), as `i64`. */
  registerNumber(operand: Operand): Value;
  /** Linear base of the segment of the record's memory operand, overrides included (string instructions). */
  segmentBase(): Value;

  // Registers and state.
  /** A general register by its number (0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, 5 RBP, 6 RSI, 7 RDI, 8-15), zero-extended from `width` bits (default {@link width}). */
  register(number: number, width?: Width): Value;
  setRegister(number: number, value: Value, width?: Width): void;
  /** A field of the processor's state block. Fields of 1, 2 and 4 bytes come zero-extended to `i64`; see {@link Slot}. */
  state(slot: Slot): Value;
  setState(slot: Slot, value: Value): void;
  /** A field of the state block whose byte offset from the slot is computed (for example an MSR bank or ST(i)). */
  stateAt(slot: Slot, byteOffset: Value): Value;
  setStateAt(slot: Slot, byteOffset: Value, value: Value): void;
  /** Adds one to an event counter; `name` shows up in the counts (`instructions.in`, `exceptions.delivered`). */
  count(name: string): void;

  // Flags.
  /** One arithmetic flag, as `i32` 0 or 1. */
  flag(name: StatusFlag): Value;
  /** Sets the flags named and leaves the others. Values are conditions that are 0 or 1. */
  setFlags(flags: Partial<Record<StatusFlag, Value>>): void;
  /** All six flags of `result = lhs + rhs + carryIn` at `width`. */
  setAddFlags(lhs: Value, rhs: Value, result: Value, width?: Width): void;
  /** All six flags of `result = lhs - rhs - borrowIn` at `width`. */
  setSubtractFlags(lhs: Value, rhs: Value, result: Value, width?: Width): void;
  /** SF, ZF and PF of `result` at `width`; CF, OF and AF are cleared. */
  setLogicFlags(result: Value, width?: Width): void;
  /** A condition code of Jcc, SETcc and CMOVcc (0 O, 1 NO, 2 B, … 15 NLE), as `i32`. Intel SDM Vol. 1 Appendix B, "EFLAGS Condition Codes". */
  conditionCode(code: number): Value;
  /** RFLAGS as PUSHF stores it (bit 1 set, RF and VM as they are). */
  readFlagsRegister(): Value;
  /** Replaces the bits of RFLAGS in `mask`, without a check of privilege. Asks for {@link recheckEvents} when TF, or IF with an interrupt pending, is then set. */
  writeFlagsRegister(value: Value, mask: Value): void;

  // Integer arithmetic; `width` defaults to this form's.
  constant(value: bigint | number): Value;
  add(a: Value, b: Value, width?: Width): Value;
  subtract(a: Value, b: Value, width?: Width): Value;
  multiply(a: Value, b: Value, width?: Width): Value;
  /** High half of the 128-bit product of two 64-bit integers. */
  multiplyHighUnsigned(a: Value, b: Value): Value;
  multiplyHighSigned(a: Value, b: Value): Value;
  /** 64-bit division; the divisor is known not to be zero (and, signed, the quotient to fit). */
  divideUnsigned(a: Value, b: Value): Value;
  divideSigned(a: Value, b: Value): Value;
  remainderUnsigned(a: Value, b: Value): Value;
  and(a: Value, b: Value): Value;
  or(a: Value, b: Value): Value;
  xor(a: Value, b: Value): Value;
  not(a: Value, width?: Width): Value;
  negate(a: Value, width?: Width): Value;
  /** Shifts; the count is below 64 (above: taken modulo 64). The input is zero-extended from `width`. */
  shiftLeft(a: Value, count: Value, width?: Width): Value;
  shiftRightUnsigned(a: Value, count: Value): Value;
  /** Arithmetic shift of an integer of `width` bits. */
  shiftRightSigned(a: Value, count: Value, width?: Width): Value;
  /** Zero-extends the low `from` bits to 64. */
  truncate(a: Value, from: Width): Value;
  /** Sign-extends the low `from` bits to `to` (default 64) and zero-extends that. */
  signExtend(a: Value, from: Width, to?: Width): Value;
  /** Bit `index` (a fixed number) as `i32` 0 or 1. */
  bit(a: Value, index: number): Value;
  /** Even parity of the low eight bits, as `i32`. */
  parity(a: Value): Value;
  countLeadingZeros(a: Value): Value;
  countTrailingZeros(a: Value): Value;
  populationCount(a: Value): Value;

  // Comparisons: i32 0 or 1. Signed ones compare integers of `width` bits.
  isZero(a: Value): Value;
  equal(a: Value, b: Value): Value;
  notEqual(a: Value, b: Value): Value;
  lessThanUnsigned(a: Value, b: Value): Value;
  lessThanSigned(a: Value, b: Value, width?: Width): Value;
  /** Logical connectives of conditions; both sides are evaluated. */
  both(a: Condition, b: Condition): Value;
  either(a: Condition, b: Condition): Value;
  isFalse(a: Condition): Value;
  /** An `i32` condition as `i64` 0 or 1. */
  fromCondition(a: Condition): Value;
  /** Both values are evaluated. They have one type. */
  select(condition: Condition, whenTrue: Value, whenFalse: Value): Value;

  // Structured control flow. A value made inside is not used outside: use a variable.
  variable(initial: Value): Variable;
  get(variable: Variable): Value;
  set(variable: Variable, value: Value): void;
  when(condition: Condition, then: () => void, otherwise?: () => void): void;
  /** Runs `body` again as long as the condition that it returns is true. Bounded loops only. */
  loop(body: () => Condition): void;

  // Memory by linear address (segment base included); little-endian, 1 to 16 bytes (16: `v128`).
  load(linear: Value, bytes: 1 | 2 | 4 | 8, privilege?: Privilege): Value;
  store(linear: Value, bytes: 1 | 2 | 4 | 8, value: Value, privilege?: Privilege): void;
  loadAs(linear: Value, type: ValueType, bytes: 1 | 2 | 4 | 8 | 16): Value;
  storeAs(linear: Value, value: Value, bytes: 1 | 2 | 4 | 8 | 16): void;
  /** Probes that `bytes` at `linear` can be written, and faults as a write would, without writing. */
  probeWrite(linear: Value, bytes: number, privilege?: Privilege): void;
  /** Memory by physical address, 8-byte aligned. Outside RAM reads give all ones and writes are dropped. */
  loadPhysical(physical: Value): Value;
  storePhysical(physical: Value, value: Value): void;

  // The stack, with the stack segment's size and the current mode; `bytes` defaults to the operand size.
  /** Pushes. RSP changes only when the store succeeded. */
  push(value: Value, bytes?: 2 | 4 | 8): void;
  /** Value at the top of the stack; does not move RSP. `byteOffset` looks further up. */
  peek(bytes?: 2 | 4 | 8, byteOffset?: number): Value;
  /** Moves the stack pointer by a signed number of bytes, wrapping at the stack's size. */
  moveStackPointer(bytes: Value): void;
  /** Sets the stack pointer; of a stack of 16 or 32 bits, only the part that it has. */
  setStackPointer(pointer: Value): void;
  /** Linear address of an offset into the stack segment, which wraps at the stack's size. */
  stackAddress(offset: Value): Value;

  // Faults and helpers.
  /** Raises an exception; nothing after it in this path happens. RIP is that of the instruction. */
  raise(exception: ExceptionName, errorCode?: Value): void;
  raiseWhen(condition: Condition, exception: ExceptionName, errorCode?: Value): void;
  /** Whether an address is canonical, as `i32` 0 or 1. Intel SDM Vol. 1 §3.3.7.1, "Canonical Addressing". */
  isCanonical(linear: Value): Value;
  call(routine: Routine, ...parameters: Value[]): Value;
  /**
   * Calls JavaScript. Counters and RIP are materialized before. Parameters are `i32`, `f32` or `f64` (`i64` is slow:
   * pass 64-bit data through the state block). With `result`, an i32 comes back. A helper may raise by `processor.raise`.
   */
  helper(name: HelperName, parameters?: readonly Value[], result?: "i32"): Value;
  toI32(a: Value): Value;
  fromI32Unsigned(a: Value): Value;

  // Control transfer. Each ends the instruction.
  /** RIP of the next instruction. */
  nextRip(): Value;
  /** RIP of this instruction. */
  thisRip(): Value;
  /** Target of a relative operand. */
  relativeTarget(operand: Operand): Value;
  /** Transfers to a relative operand's target; the decoded target is cached in the record. */
  jumpRelative(operand: Operand): void;
  /** Transfers to a computed RIP within the current code segment; #GP(0) when it is not canonical, or beyond the limit of CS. */
  jumpTo(rip: Value): void;
  /** Goes on at the state's own `rip`, looked up afresh: after a change of CS, mode, paging or privilege. */
  resumeAt(rip: Value): void;
  /** After this instruction, control returns to the driver, which looks at pending events, HLT and limits. */
  recheckEvents(): void;
  /** Changes CPL: moves the instruction counts to the old ring's and switches the access masks. */
  setPrivilegeLevel(level: Value): void;

  // Floating point and vectors: one method for each WebAssembly instruction is too many; the name is WebAssembly's own.
  /** A WebAssembly instruction by its text name (`f64.add`, `i8x16.avgr_u`, `f64x2.promote_low_f32x4`), with its immediates. */
  wasm(operation: string, operands: readonly Value[], immediates?: readonly number[]): Value;
  constantV128(low: bigint, high: bigint): Value;
}
