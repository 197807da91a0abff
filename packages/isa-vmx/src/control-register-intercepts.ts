/**
 * Accesses to control and debug registers: what the guest reads and writes of registers that it shares with the
 * hypervisor, and what exits.
 *
 * Intel SDM Vol. 3C §25.6.6, "Guest/Host Masks and Read Shadows for CR0 and CR4"; §26.3, "Changes to Instruction Behavior
 * in VMX Non-Root Operation".
 */
import {
  slots,
  writeCr0,
  writeCr4,
  CR0,
  CR4,
  type Form,
  type Operand,
  type Prologue,
  type Routine,
  type SemanticsBuilder,
  type Slot,
  type Value,
} from "@ringside/isa";
import { CR0_FIXED } from "./capabilities.ts";
import { PRIMARY, SECONDARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { exit, has, isNonRoot, isSupervisor } from "./intercept.ts";
import { INTERNAL, vmx } from "./vmx-state.ts";

/** What the guest reads of a register that the hypervisor shares with it. Intel SDM Vol. 3C §25.6.6, "Guest/Host Masks and Read Shadows for CR0 and CR4". */
function shadowed(m: SemanticsBuilder, register: Slot, mask: Slot, shadow: Slot): Value {
  const own = m.and(m.state(register), m.not(m.state(mask), 64));
  return m.or(own, m.and(m.state(shadow), m.state(mask)));
}

/** Number of the general register that an operand is, in bits 11:8. */
function registerBits(m: SemanticsBuilder, operand: Operand): Value {
  return m.shiftLeft(
    m.shiftRightUnsigned(m.registerNumber(operand), m.constant(3)),
    m.constant(8),
    64,
  );
}

function finish(m: SemanticsBuilder): void {
  m.when(m.state(slots.interruptPending), () => m.recheckEvents());
  m.resumeAt(m.nextRip());
}

/** VTPR: 32 bits at 80H of the virtual-APIC page. */
const VTPR = 0x80;

function fromControl(m: SemanticsBuilder, destination: Operand, source: Operand): void {
  m.when(m.both(isNonRoot(m), isSupervisor(m)), () => {
    const number = m.registerNumber(source);
    const is = (wanted: number): Value => m.equal(number, m.constant(wanted));
    const leave = (): void =>
      exit(
        m,
        EXIT.CONTROL_REGISTER_ACCESS,
        m.or(m.or(number, m.constant(0x10)), registerBits(m, destination)),
      );
    m.when(m.both(is(0), m.state(vmx.cr0Mask)), () => {
      m.count("instructions.mov-from-cr");
      m.write(destination, shadowed(m, slots.cr0, vmx.cr0Mask, vmx.cr0Shadow));
      m.resumeAt(m.nextRip());
    });
    m.when(m.both(is(4), m.state(vmx.cr4Mask)), () => {
      m.count("instructions.mov-from-cr");
      m.write(destination, shadowed(m, slots.cr4, vmx.cr4Mask, vmx.cr4Shadow));
      m.resumeAt(m.nextRip());
    });
    m.when(m.both(is(3), has(m, vmx.primary, PRIMARY.CR3_STORE_EXITING)), leave);
    m.when(is(8), () => {
      m.when(has(m, vmx.primary, PRIMARY.CR8_STORE_EXITING), leave);
      m.when(has(m, vmx.primary, PRIMARY.USE_TPR_SHADOW), () => {
        m.count("instructions.mov-from-cr");
        const word = m.loadPhysical(m.add(m.state(vmx.virtualApic), m.constant(VTPR), 64));
        m.write(destination, m.and(m.shiftRightUnsigned(word, m.constant(4)), m.constant(0xf)));
        m.resumeAt(m.nextRip());
      });
    });
  });
}

/** #GP(0) where a value has bits that VMX operation fixes otherwise. Intel SDM Vol. 3C §24.8, "Restrictions on VMX Operation". */
function requireFixed(m: SemanticsBuilder, value: Value, mustBeOne: Value): void {
  m.raiseWhen(m.notEqual(m.and(value, mustBeOne), mustBeOne), "GP", m.constant(0));
}

/** PE and PG are an unrestricted guest's own. */
function cr0MustBeOne(m: SemanticsBuilder): Value {
  const { mustBeOne } = CR0_FIXED;
  return m.select(
    has(m, vmx.secondary, SECONDARY.UNRESTRICTED_GUEST),
    m.constant(mustBeOne & ~(CR0.PE | CR0.PG)),
    m.constant(mustBeOne),
  );
}

/** Writes CR0 or CR4 in VMX operation: the guest's own bits, or an exit when it changes one that the hypervisor owns. */
function writeMasked(
  m: SemanticsBuilder,
  register: Slot,
  mask: Slot,
  value: Value,
  writing: { readonly routine: Routine; readonly mustBeOne: (m: SemanticsBuilder) => Value },
): void {
  const owned = m.state(mask);
  const merged = m.or(m.and(value, m.not(owned, 64)), m.and(m.state(register), owned));
  requireFixed(m, merged, writing.mustBeOne(m));
  m.call(writing.routine, merged);
}

const CR0_WRITE = { routine: writeCr0, mustBeOne: cr0MustBeOne } as const;
const CR4_WRITE = {
  routine: writeCr4,
  mustBeOne: (m: SemanticsBuilder) => m.constant(CR4.VMXE),
} as const;

function toControl(m: SemanticsBuilder, destination: Operand, source: Operand): void {
  m.when(m.both(m.state(vmx.operation), isSupervisor(m)), () => {
    const number = m.registerNumber(destination);
    const value = m.read(source);
    const is = (wanted: number): Value => m.equal(number, m.constant(wanted));
    const leave = (): void =>
      exit(m, EXIT.CONTROL_REGISTER_ACCESS, m.or(number, registerBits(m, source)));
    const differs = (mask: Slot, shadow: Slot): Value =>
      m.and(m.xor(value, m.state(shadow)), m.state(mask));
    // Masks and controls are zero in root operation.
    m.when(is(0), () => {
      m.when(differs(vmx.cr0Mask, vmx.cr0Shadow), leave);
      m.count("instructions.mov-to-cr0");
      writeMasked(m, slots.cr0, vmx.cr0Mask, value, CR0_WRITE);
      finish(m);
    });
    m.when(is(4), () => {
      m.when(differs(vmx.cr4Mask, vmx.cr4Shadow), leave);
      m.count("instructions.mov-to-cr4");
      writeMasked(m, slots.cr4, vmx.cr4Mask, value, CR4_WRITE);
      finish(m);
    });
    m.when(m.both(is(3), has(m, vmx.primary, PRIMARY.CR3_LOAD_EXITING)), () => {
      const isTarget = m.variable(m.toI32(m.constant(0)));
      for (let index = 0; index < 4; index += 1) {
        const matches = m.both(
          m.lessThanUnsigned(m.constant(index), m.state(vmx.cr3TargetCount)),
          m.equal(value, m.stateAt(vmx.cr3Targets, m.constant(index * 8))),
        );
        m.set(isTarget, m.either(m.get(isTarget), matches));
      }
      m.when(m.isFalse(m.get(isTarget)), leave);
    });
    m.when(is(8), () => {
      m.when(has(m, vmx.primary, PRIMARY.CR8_LOAD_EXITING), leave);
      m.when(has(m, vmx.primary, PRIMARY.USE_TPR_SHADOW), () => {
        m.raiseWhen(m.and(value, m.constant(~0xfn)), "GP", m.constant(0));
        m.count("instructions.mov-to-cr8");
        const at = m.add(m.state(vmx.virtualApic), m.constant(VTPR), 64);
        const kept = m.and(m.loadPhysical(at), m.constant(0xffff_ffff_0000_0000n));
        m.storePhysical(at, m.or(kept, m.shiftLeft(value, m.constant(4), 64)));
        m.when(m.lessThanUnsigned(value, m.state(vmx.tprThreshold)), () =>
          m.raise("EXIT", m.constant(INTERNAL.TPR_BELOW)),
        );
        m.resumeAt(m.nextRip());
      });
    });
  });
}

function debugAccess(
  number: (m: SemanticsBuilder) => Value,
  register: Operand,
  direction: number,
): Prologue {
  return (m) =>
    m.when(m.both(has(m, vmx.primary, PRIMARY.MOV_DR_EXITING), isSupervisor(m)), () => {
      const fixed = m.or(number(m), m.constant(direction));
      exit(m, EXIT.MOV_DR, m.or(fixed, registerBits(m, register)));
    });
}

function moveIntercept(form: Form): Prologue | undefined {
  const [first, second] = form.operands;
  if (first === undefined || second === undefined) return undefined;
  if (second.kind === "control") return (m) => fromControl(m, first, second);
  if (first.kind === "control") return (m) => toControl(m, first, second);
  if (second.kind === "debug") return debugAccess((m) => m.registerNumber(second), first, 0x10);
  if (first.kind === "debug") return debugAccess((m) => m.registerNumber(first), second, 0);
  return undefined;
}

/** LMSW changes bits 3:0 of CR0; PE can only be set. Intel SDM Vol. 3C §26.1.3, "Instructions That Cause VM Exits Conditionally". */
function lmsw(m: SemanticsBuilder, source: Operand): void {
  m.when(m.both(m.state(vmx.operation), isSupervisor(m)), () => {
    const value = m.read(source);
    const mask = m.state(vmx.cr0Mask);
    const shadow = m.state(vmx.cr0Shadow);
    const changed = CR0.MP | CR0.EM | CR0.TS;
    const differs = m.and(m.and(m.xor(value, shadow), mask), m.constant(changed));
    const setsPe = m.and(m.and(m.and(value, m.not(shadow, 64)), mask), m.constant(CR0.PE));
    m.when(m.or(differs, setsPe), () => {
      const isMemory = source.kind === "memory";
      if (isMemory) m.setState(vmx.guestLinear, m.linearAddress(source));
      const fixed = m.constant(isMemory ? 0x70 : 0x30);
      exit(
        m,
        EXIT.CONTROL_REGISTER_ACCESS,
        m.or(fixed, m.shiftLeft(m.truncate(value, 16), m.constant(16), 64)),
      );
    });
    const old = m.state(slots.cr0);
    const free = m.and(m.constant(changed), m.not(mask, 64));
    m.count("instructions.lmsw");
    m.call(writeCr0, m.or(m.and(old, m.not(free, 64)), m.and(value, free)));
    m.resumeAt(m.nextRip());
  });
}

const clts: Prologue = (m) => {
  const mask = has(m, vmx.cr0Mask, CR0.TS);
  m.when(m.both(mask, isSupervisor(m)), () => {
    m.when(has(m, vmx.cr0Shadow, CR0.TS), () =>
      exit(m, EXIT.CONTROL_REGISTER_ACCESS, m.constant(0x20)),
    );
    // The guest believes that TS is clear: it stays as it is.
    m.count("instructions.clts");
    m.resumeAt(m.nextRip());
  });
};

function smsw(m: SemanticsBuilder, destination: Operand): void {
  const may = m.either(isSupervisor(m), m.isFalse(has(m, slots.cr4, CR4.UMIP)));
  m.when(m.both(m.state(vmx.cr0Mask), may), () => {
    m.count("instructions.smsw");
    m.write(destination, shadowed(m, slots.cr0, vmx.cr0Mask, vmx.cr0Shadow));
    m.resumeAt(m.nextRip());
  });
}

/** The intercept of an instruction that reads or writes control or debug registers; undefined for others. */
export function controlRegisterIntercept(form: Form, mnemonic: string): Prologue | undefined {
  const [first] = form.operands;
  if (mnemonic === "mov") return moveIntercept(form);
  if (mnemonic === "clts") return clts;
  if (mnemonic === "lmsw" && first !== undefined) return (m) => lmsw(m, first);
  if (mnemonic === "smsw" && first !== undefined) return (m) => smsw(m, first);
  return undefined;
}
