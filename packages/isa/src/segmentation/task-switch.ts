/**
 * The hardware task switch: the state of one task goes into its TSS, that of another comes from its TSS.
 *
 * Rare and long, so it is TypeScript over the state block, in two parts: {@link leaveTask} raises what belongs to the old
 * task, {@link enterTask} what belongs to the new one.
 *
 * Intel SDM Vol. 3A §8.2, "Task Management Data Structures"; §8.3, "Task Switching".
 */
import type { ExceptionName } from "../semantics.ts";
import { segmentSlots, slots, type Slot } from "../state/layout.ts";
import { CR0, RFLAGS } from "../profile/registers.ts";
import { ATTRIBUTES, TYPE } from "./attributes.ts";
import { TSS_16, TSS_32, type TssFormat } from "./tss-format.ts";

/** What asked for the switch. */
export const TASK_SWITCH = {
  JUMP: 0,
  CALL: 1,
  /** IRET with NT = 1. */
  RETURN: 2,
  /** A task gate in the IDT, for an event that the program did not ask for. Error codes have EXT set. */
  EVENT: 3,
  /** The same for INT n, INT3 and INTO. */
  SOFTWARE_EVENT: 4,
} as const;

/** What a task switch reaches. Memory is linear, with the rights of the system; a fault there throws. */
export interface TaskContext {
  get(slot: Slot): bigint;
  set(slot: Slot, value: bigint): void;
  writeFlags(value: bigint): void;
  load(linear: bigint, bytes: 2 | 4 | 8): bigint;
  store(linear: bigint, bytes: 1 | 2 | 4, value: bigint): void;
  raise(exception: ExceptionName, errorCode: number): never;
  /** Recomputes what follows from segments and flags, and takes CPL. */
  settle(privilegeLevel: number): void;
  /** CR3 was written. */
  flushTlb(): void;
  /** DR7 was written. */
  readDebugRegisters(): void;
  /** The new task's T flag is set: #DB before its first instruction. */
  trapTask(): void;
}

const [ES, CS, SS, DS, FS, GS, LDTR, TR] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const GENERAL_REGISTERS = 8;
/** L0 to L3 and LE of DR7. */
const DR7_LOCAL = 0x155n;
const BUSY = 2n;
const LDT_TYPE = 2n;

interface Descriptor {
  readonly selector: number;
  readonly linear: bigint;
  readonly bits: bigint;
  readonly attributes: bigint;
  readonly base: bigint;
  readonly limit: bigint;
}

/** A task whose TSS is the current one, and whose state is still to be loaded. */
export interface NewTask {
  readonly format: TssFormat;
  readonly image: TaskImage;
  /** NT when the task is nested in the one before. */
  readonly nested: bigint;
  /** EXT of error codes. */
  readonly external: number;
}

/**
 * Saves the current task, and makes that of a TSS selector the current one. The caller has checked privilege. Whatever
 * is raised is an exception of the old task.
 *
 * @param returnRip What the old task goes on with.
 * @param flags EFLAGS that its TSS gets.
 */
export function leaveTask(
  context: TaskContext,
  selector: number,
  kind: number,
  returnRip: bigint,
  flags: bigint,
): NewTask {
  const external = kind === TASK_SWITCH.EVENT ? 1 : 0;
  const isReturn = kind === TASK_SWITCH.RETURN;
  const isNested = kind !== TASK_SWITCH.JUMP && !isReturn;
  const wrong: ExceptionName = isReturn ? "TS" : "GP";
  const named = (selector & 0xfffc) | external;
  if ((selector & 4) !== 0 || (selector & 0xfffc) === 0) context.raise(wrong, named);
  const target = readDescriptor(context, selector, wrong, external);
  const format = formatOf(target.attributes);
  const isBusy = (target.attributes & BUSY) !== 0n;
  if (format === undefined || isBusy !== isReturn) return context.raise(wrong, named);
  if ((target.attributes & ATTRIBUTES.PRESENT) === 0n) context.raise("NP", named);
  if (target.limit < BigInt(format.bytes - 1)) context.raise("TS", named);

  const old = currentTask(context);
  const image = readImage(context, format, target.base);
  // A store that faults leaves the old task as it is: what was written to its TSS is written again later.
  saveTask(context, old.format, old.base, {
    rip: returnRip,
    flags: isReturn ? flags & ~RFLAGS.NT : flags,
  });
  const oldSelector = context.get(segmentSlots(TR).selector);
  if (isNested) context.store(target.base, 2, oldSelector);
  else setBusy(context, Number(oldSelector), false);
  if (!isReturn) setBusy(context, selector, true);

  writeSegment(context, TR, { ...target, attributes: target.attributes | BUSY });
  context.set(slots.cr0, context.get(slots.cr0) | CR0.TS);
  return { format, image, nested: isNested ? RFLAGS.NT : 0n, external };
}

function formatOf(attributes: bigint): TssFormat | undefined {
  if ((attributes & ATTRIBUTES.CODE_OR_DATA) !== 0n) return undefined;
  const type = attributes & ATTRIBUTES.TYPE & ~BUSY;
  return type === 1n ? TSS_16 : type === 9n ? TSS_32 : undefined;
}

function currentTask(context: TaskContext): {
  readonly format: TssFormat;
  readonly base: bigint;
} {
  const { attributes, base, limit } = segmentSlots(TR);
  const format = formatOf(context.get(attributes)) ?? TSS_32;
  // A TSS that cannot take the state: Intel leaves open what happens; here the switch is refused.
  if (context.get(limit) < BigInt(format.bytes - 1))
    context.raise("TS", Number(context.get(segmentSlots(TR).selector)) & 0xfffc);
  return { format, base: context.get(base) };
}

/** The fields of a TSS that a switch loads. */
interface TaskImage {
  readonly cr3: bigint | undefined;
  readonly rip: bigint;
  readonly flags: bigint;
  readonly general: readonly bigint[];
  readonly segments: readonly number[];
  readonly ldt: number;
  readonly traps: boolean;
}

function readImage(context: TaskContext, format: TssFormat, base: bigint): TaskImage {
  const read = (offset: number): bigint => context.load(base + BigInt(offset), format.wordBytes);
  const selector = (offset: number): number => Number(context.load(base + BigInt(offset), 2));
  return {
    cr3: format.cr3 === undefined ? undefined : read(format.cr3),
    rip: read(format.rip),
    flags: read(format.flags),
    general: Array.from({ length: GENERAL_REGISTERS }, (_, number) =>
      read(format.general + number * format.wordBytes),
    ),
    segments: Array.from({ length: format.segmentCount }, (_, index) =>
      selector(format.segments + index * format.wordBytes),
    ),
    ldt: selector(format.ldt),
    traps: format.trap !== undefined && (selector(format.trap) & 1) !== 0,
  };
}

function saveTask(
  context: TaskContext,
  format: TssFormat,
  base: bigint,
  { rip, flags }: { readonly rip: bigint; readonly flags: bigint },
): void {
  const { wordBytes } = format;
  const mask = (1n << BigInt(wordBytes * 8)) - 1n;
  const write = (offset: number, value: bigint): void =>
    context.store(base + BigInt(offset), wordBytes, value & mask);
  write(format.rip, rip);
  write(format.flags, flags);
  for (let number = 0; number < GENERAL_REGISTERS; number += 1)
    write(format.general + number * wordBytes, context.get({ offset: number * 8, bytes: 8 }));
  for (let index = 0; index < format.segmentCount; index += 1) {
    const selector = context.get(segmentSlots(index).selector);
    context.store(base + BigInt(format.segments + index * wordBytes), 2, selector);
  }
}

function setBusy(context: TaskContext, selector: number, busy: boolean): void {
  const linear = context.get(slots.gdtrBase) + BigInt((selector & 0xfff8) + 4);
  const upper = context.load(linear, 4);
  const flag = BUSY << 8n;
  context.store(linear, 4, busy ? upper | flag : upper & ~flag);
}

/** Loads the state of the new task. Whatever is raised is an exception of the new task, before its first instruction. */
export function enterTask(
  context: TaskContext,
  { format, image, nested, external }: NewTask,
): void {
  if (image.cr3 !== undefined && (context.get(slots.cr0) & CR0.PG) !== 0n) {
    context.set(slots.cr3, image.cr3);
    context.flushTlb();
  }
  context.set(slots.rip, image.rip);
  const isNarrow = format.wordBytes === 2;
  for (const [number, value] of image.general.entries()) {
    const slot: Slot = { offset: number * 8, bytes: 8 };
    const upper = isNarrow ? context.get(slot) & 0xffff_0000n : 0n;
    context.set(slot, upper | value);
  }
  const flags = (image.flags & 0x3f_7fd5n) | RFLAGS.FIXED | nested;
  context.writeFlags(flags);
  for (const index of [ES, CS, SS, DS, FS, GS]) {
    const selector = image.segments[index] ?? 0;
    // Until its descriptor is checked, a register holds the selector and is unusable.
    writeSegment(context, index, {
      selector,
      base: 0n,
      limit: 0n,
      attributes: ATTRIBUTES.UNUSABLE,
    });
  }
  writeSegment(context, LDTR, {
    selector: image.ldt,
    base: 0n,
    limit: 0n,
    attributes: ATTRIBUTES.UNUSABLE,
  });
  // Breakpoints of a task do not outlive it. Intel SDM Vol. 3B §18.2.4, "Debug Control Register (DR7)".
  context.set(slots.dr7, context.get(slots.dr7) & ~DR7_LOCAL);
  context.readDebugRegisters();
  if (image.traps) context.trapTask();
  const isVirtual8086 = (flags & RFLAGS.VM) !== 0n;
  const level = isVirtual8086 ? 3 : (image.segments[CS] ?? 0) & 3;
  context.settle(level);
  loadLdt(context, image.ldt, external);
  if (isVirtual8086) {
    for (const index of [ES, CS, SS, DS, FS, GS]) {
      const selector = image.segments[index] ?? 0;
      const base = BigInt(selector) << 4n;
      writeSegment(context, index, { selector, base, limit: 0xffffn, attributes: 0xf3n });
    }
    context.settle(level);
  } else {
    loadStack(context, image.segments[SS] ?? 0, level, external);
    loadCode(context, image.segments[CS] ?? 0, level, external);
    context.settle(level);
    for (const index of [ES, DS, FS, GS])
      loadData(context, index, image.segments[index] ?? 0, level, external);
    context.settle(level);
  }
  if (image.rip > context.get(segmentSlots(CS).limit)) context.raise("GP", external);
}

function loadLdt(context: TaskContext, selector: number, external: number): void {
  if ((selector & 0xfffc) === 0) return;
  const named = (selector & 0xfffc) | external;
  if ((selector & 4) !== 0) context.raise("TS", named);
  const ldt = readDescriptor(context, selector, "TS", external);
  const kind = ldt.attributes & (ATTRIBUTES.TYPE | ATTRIBUTES.CODE_OR_DATA);
  if (kind !== LDT_TYPE || (ldt.attributes & ATTRIBUTES.PRESENT) === 0n) context.raise("TS", named);
  writeSegment(context, LDTR, ldt);
}

function loadCode(context: TaskContext, selector: number, level: number, external: number): void {
  const named = (selector & 0xfffc) | external;
  if ((selector & 0xfffc) === 0) context.raise("TS", named);
  const code = readDescriptor(context, selector, "TS", external);
  const isConforming = (code.attributes & TYPE.CONFORMING) !== 0n;
  const dpl = dplOf(code.attributes);
  const fits = isConforming ? dpl <= level : dpl === level;
  if (!isCode(code.attributes) || !fits) context.raise("TS", named);
  if ((code.attributes & ATTRIBUTES.PRESENT) === 0n) context.raise("NP", named);
  markAccessed(context, code);
  writeSegment(context, CS, code);
}

function loadStack(context: TaskContext, selector: number, level: number, external: number): void {
  const named = (selector & 0xfffc) | external;
  if ((selector & 0xfffc) === 0) context.raise("TS", named);
  const stack = readDescriptor(context, selector, "TS", external);
  const { attributes } = stack;
  const isWritableData =
    (attributes & ATTRIBUTES.CODE_OR_DATA) !== 0n &&
    !isCode(attributes) &&
    (attributes & TYPE.WRITABLE_OR_READABLE) !== 0n;
  if (!isWritableData || dplOf(attributes) !== level || (selector & 3) !== level)
    context.raise("TS", named);
  if ((attributes & ATTRIBUTES.PRESENT) === 0n) context.raise("SS", named);
  markAccessed(context, stack);
  writeSegment(context, SS, stack);
}

function loadData(
  context: TaskContext,
  index: number,
  selector: number,
  level: number,
  external: number,
): void {
  if ((selector & 0xfffc) === 0) return;
  const named = (selector & 0xfffc) | external;
  const data = readDescriptor(context, selector, "TS", external);
  const { attributes } = data;
  const code = isCode(attributes);
  const isReadable =
    (attributes & ATTRIBUTES.CODE_OR_DATA) !== 0n &&
    (!code || (attributes & TYPE.WRITABLE_OR_READABLE) !== 0n);
  const isConforming = code && (attributes & TYPE.CONFORMING) !== 0n;
  const dpl = dplOf(attributes);
  if (!isReadable || (!isConforming && (dpl < level || dpl < (selector & 3))))
    context.raise("TS", named);
  if ((attributes & ATTRIBUTES.PRESENT) === 0n) context.raise("NP", named);
  markAccessed(context, data);
  writeSegment(context, index, data);
}

function isCode(attributes: bigint): boolean {
  return (attributes & (ATTRIBUTES.CODE_OR_DATA | TYPE.CODE)) === 0x18n;
}

function dplOf(attributes: bigint): number {
  return Number((attributes & ATTRIBUTES.DPL) >> 5n);
}

function readDescriptor(
  context: TaskContext,
  selector: number,
  exception: ExceptionName,
  external: number,
): Descriptor {
  const inLdt = (selector & 4) !== 0;
  const ldtr = segmentSlots(LDTR);
  const offset = BigInt(selector & 0xfff8);
  const limit = context.get(inLdt ? ldtr.limit : slots.gdtrLimit);
  const isMissing = inLdt && (context.get(ldtr.attributes) & ATTRIBUTES.UNUSABLE) !== 0n;
  if (isMissing || limit < (offset | 7n)) context.raise(exception, (selector & 0xfffc) | external);
  const linear = context.get(inLdt ? ldtr.base : slots.gdtrBase) + offset;
  const bits = context.load(linear, 8);
  const raw = (bits & 0xffffn) | ((bits >> 32n) & 0xf_0000n);
  const attributes = (bits >> 40n) & 0xf0ffn;
  return {
    selector,
    linear,
    bits,
    attributes,
    base: ((bits >> 16n) & 0xff_ffffn) | ((bits >> 32n) & 0xff00_0000n),
    limit: (attributes & ATTRIBUTES.GRANULARITY) === 0n ? raw : (raw << 12n) | 0xfffn,
  };
}

function markAccessed(context: TaskContext, { linear, bits }: Descriptor): void {
  if ((bits & (1n << 40n)) !== 0n) return;
  context.store(linear + 5n, 1, ((bits >> 40n) & 0xffn) | TYPE.ACCESSED);
}

function writeSegment(
  context: TaskContext,
  index: number,
  segment: Pick<Descriptor, "selector" | "base" | "limit" | "attributes">,
): void {
  const isData = (segment.attributes & ATTRIBUTES.CODE_OR_DATA) !== 0n;
  const { attributes, base, limit, selector } = segmentSlots(index);
  context.set(selector, BigInt(segment.selector));
  context.set(base, segment.base);
  context.set(limit, segment.limit);
  context.set(attributes, segment.attributes | (isData ? TYPE.ACCESSED : 0n));
}
