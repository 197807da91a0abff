/**
 * Intercepts: code in front of instructions that may exit from non-root operation, by the control that asks for it.
 *
 * Exceptions that an instruction raises for want of privilege come before its VM exit, so an intercept of a privileged
 * instruction only looks at CPL 0 and lets the instruction itself raise #GP elsewhere.
 *
 * Intel SDM Vol. 3C §25.1, "Instructions That Cause VM Exits"; §25.3, "Changes to Instruction Behavior in VMX Non-Root
 * Operation"; §27.2.1, "Basic VM-Exit Information".
 */
import {
  checkPorts,
  segmentSlots,
  slots,
  writeCr0,
  writeCr4,
  CR0,
  CR4,
  type Form,
  type Instruction,
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
import { IS_REGISTER } from "./instruction-information.ts";
import { INTERNAL, OPERATION, vmx } from "./vmx-state.ts";

const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;

function has(m: SemanticsBuilder, slot: Slot, bits: number | bigint): Value {
  return m.notEqual(m.and(m.state(slot), m.constant(bits)), m.constant(0));
}

function isNonRoot(m: SemanticsBuilder): Value {
  return m.equal(m.state(vmx.operation), m.constant(OPERATION.NON_ROOT));
}

function isSupervisor(m: SemanticsBuilder): Value {
  return m.isZero(m.state(slots.cpl));
}

function exit(m: SemanticsBuilder, reason: number, qualification?: Value): void {
  m.setState(vmx.qualification, qualification ?? m.constant(0));
  m.raise("EXIT", m.constant(reason));
}

/** Exits at CPL 0 while a control is set. */
function controlled(slot: Slot, bits: number, reason: number): Prologue {
  return (m) => m.when(m.both(has(m, slot, bits), isSupervisor(m)), () => exit(m, reason));
}

/** Exits at CPL 0 in non-root operation, whatever the controls are. */
function always(reason: number): Prologue {
  return (m) => m.when(m.both(isNonRoot(m), isSupervisor(m)), () => exit(m, reason));
}

const plain: Readonly<Record<string, Prologue>> = {
  cpuid: (m) => m.when(isNonRoot(m), () => exit(m, EXIT.CPUID)),
  hlt: controlled(vmx.primary, PRIMARY.HLT_EXITING, EXIT.HLT),
  invd: always(EXIT.INVD),
  wbinvd: controlled(vmx.secondary, SECONDARY.WBINVD_EXITING, EXIT.WBINVD),
  pause: (m) => m.when(has(m, vmx.primary, PRIMARY.PAUSE_EXITING), () => exit(m, EXIT.PAUSE)),
  rdtsc: (m) => m.when(mayReadTime(m, PRIMARY.RDTSC_EXITING), () => exit(m, EXIT.RDTSC)),
  rdtscp(m) {
    const isOff = m.isZero(m.and(m.state(vmx.secondary), m.constant(SECONDARY.ENABLE_RDTSCP)));
    m.when(m.both(isNonRoot(m), isOff), () => m.raise("UD"));
    m.when(mayReadTime(m, PRIMARY.RDTSC_EXITING), () => exit(m, EXIT.RDTSCP));
  },
  rdpmc(m) {
    // #GP(0) for want of CR4.PCE comes first.
    const may = m.either(isSupervisor(m), has(m, slots.cr4, CR4.PCE));
    m.when(m.both(has(m, vmx.primary, PRIMARY.RDPMC_EXITING), may), () => exit(m, EXIT.RDPMC));
  },
  rdmsr: msrAccess(EXIT.RDMSR, 0),
  wrmsr: msrAccess(EXIT.WRMSR, 0x800),
  clts(m) {
    const mask = has(m, vmx.cr0Mask, CR0.TS);
    m.when(m.both(mask, isSupervisor(m)), () => {
      m.when(has(m, vmx.cr0Shadow, CR0.TS), () =>
        exit(m, EXIT.CONTROL_REGISTER_ACCESS, m.constant(0x20)),
      );
      // The guest believes that TS is clear: it stays as it is.
      m.count("instructions.clts");
      m.resumeAt(m.nextRip());
    });
  },
};

function mayReadTime(m: SemanticsBuilder, control: number): Value {
  const allowed = m.either(isSupervisor(m), m.isFalse(has(m, slots.cr4, CR4.TSD)));
  return m.both(has(m, vmx.primary, control), allowed);
}

/** MSR bitmaps: read-low, read-high, write-low, write-high of 1 KiB each. Intel SDM Vol. 3C §24.6.9, "MSR-Bitmap Address". */
const msrExits: Routine = {
  name: "vmxMsrExits",
  parameters: ["i64", "i64"],
  result: "i64",
  raises: false,
  body(m, ...[index, base]) {
    if (index === undefined || base === undefined)
      throw new RangeError("vmxMsrExits takes two parameters.");
    const result = m.variable(m.constant(1));
    const low = m.and(index, m.constant(0x1fff));
    const isLow = m.equal(low, index);
    const isHigh = m.equal(m.or(low, m.constant(0xc000_0000)), index);
    m.when(m.both(has(m, vmx.primary, PRIMARY.USE_MSR_BITMAPS), m.either(isLow, isHigh)), () => {
      const start = m.select(isLow, m.constant(0), m.constant(0x400));
      const offset = m.and(m.shiftRightUnsigned(low, m.constant(3)), m.constant(0x3f8));
      const word = m.loadPhysical(m.add(m.add(m.state(vmx.msrBitmap), m.add(start, base)), offset));
      m.set(result, m.and(m.shiftRightUnsigned(word, m.and(low, m.constant(63))), m.constant(1)));
    });
    return m.get(result);
  },
};

function msrAccess(reason: number, base: number): Prologue {
  return (m) =>
    m.when(m.both(isNonRoot(m), isSupervisor(m)), () => {
      m.when(m.call(msrExits, m.register(RCX, 32), m.constant(base)), () => exit(m, reason));
    });
}

/** Whether an access to ports exits. Intel SDM Vol. 3C §25.1.3, "Instructions That Cause VM Exits Conditionally"; §24.6.4, "I/O-Bitmap Addresses". */
const portExits: Routine = {
  name: "vmxPortExits",
  parameters: ["i64", "i64"],
  result: "i64",
  raises: false,
  body(m, ...[port, bytes]) {
    if (port === undefined || bytes === undefined)
      throw new RangeError("vmxPortExits takes two parameters.");
    const result = m.variable(
      m.fromCondition(has(m, vmx.primary, PRIMARY.UNCONDITIONAL_IO_EXITING)),
    );
    m.when(has(m, vmx.primary, PRIMARY.USE_IO_BITMAPS), () => {
      // An access that wraps around the last port exits.
      const end = m.add(port, bytes);
      m.set(result, m.fromCondition(m.lessThanUnsigned(m.constant(0x1_0000), end)));
      const at = m.variable(port);
      m.loop(() => {
        const each = m.and(m.get(at), m.constant(0xffff));
        const isHigh = m.and(each, m.constant(0x8000));
        const map = m.select(isHigh, m.state(vmx.ioBitmapB), m.state(vmx.ioBitmapA));
        const offset = m.and(m.shiftRightUnsigned(each, m.constant(3)), m.constant(0xff8));
        const word = m.loadPhysical(m.add(map, offset));
        const bit = m.and(m.shiftRightUnsigned(word, m.and(each, m.constant(63))), m.constant(1));
        m.set(result, m.or(m.get(result), bit));
        m.set(at, m.add(m.get(at), m.constant(1)));
        return m.lessThanUnsigned(m.get(at), end);
      });
    });
    return m.get(result);
  },
};

/** Bits of the exit qualification for I/O. Intel SDM Vol. 3C §27.2.1, "Basic VM-Exit Information", Table 27-5. */
function ioAccess(
  direction: "in" | "out",
  bytes: number,
  detail: { readonly isString?: boolean; readonly isImmediate?: boolean },
  portOf: (m: SemanticsBuilder, ...operands: Operand[]) => Value,
): Prologue {
  return (m, ...operands) =>
    m.when(isNonRoot(m), () => {
      const port = portOf(m, ...operands);
      m.call(checkPorts, port, m.constant(bytes));
      m.when(m.call(portExits, port, m.constant(bytes)), () => {
        const fixed =
          (bytes - 1) |
          (direction === "in" ? 8 : 0) |
          (detail.isString === true ? 0x10 : 0) |
          (m.repeat === "none" ? 0 : 0x20) |
          (detail.isImmediate === true ? 0x40 : 0);
        if (detail.isString === true) {
          const isIn = direction === "in";
          const base = isIn ? m.state(segmentSlots(0).effectiveBase) : m.segmentBase();
          const linear = m.add(base, m.register(isIn ? RDI : RSI, m.addressWidth), 64);
          m.setState(vmx.guestLinear, m.mode === 64 ? linear : m.truncate(linear, 32));
          const size = m.addressWidth === 16 ? 0 : m.addressWidth === 32 ? 1 : 2;
          m.setState(vmx.result, m.constant(size << 7));
        }
        exit(
          m,
          EXIT.IO_INSTRUCTION,
          m.or(m.constant(fixed), m.shiftLeft(port, m.constant(16), 64)),
        );
      });
    });
}

const PORT_BYTES: Readonly<Record<number, number>> = { 8: 1, 16: 2, 32: 4 };

function portIntercept(instruction: Instruction, form: Form): Prologue | undefined {
  const dx = (m: SemanticsBuilder): Value => m.register(RDX, 16);
  const stringBytes = (): number =>
    form.mnemonic.endsWith("b") ? 1 : form.mnemonic.endsWith("w") ? 2 : 4;
  switch (instruction.mnemonic) {
    case "in":
    case "out": {
      const isIn = instruction.mnemonic === "in";
      const [first, second] = form.operands;
      const data = isIn ? first : second;
      const port = isIn ? second : first;
      if (data === undefined || port === undefined) return undefined;
      return ioAccess(
        isIn ? "in" : "out",
        PORT_BYTES[data.bits] ?? 4,
        { isImmediate: port.kind === "immediate" },
        (m) => m.read(port),
      );
    }
    case "ins":
      return ioAccess("in", stringBytes(), { isString: true }, dx);
    case "outs":
      return ioAccess("out", stringBytes(), { isString: true }, dx);
    default:
      return undefined;
  }
}

/** What the guest reads of a register that the hypervisor shares with it. Intel SDM Vol. 3C §24.6.6, "Guest/Host Masks and Read Shadows for CR0 and CR4". */
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

/** #GP(0) where a value has bits that VMX operation fixes otherwise. Intel SDM Vol. 3C §23.8, "Restrictions on VMX Operation". */
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

/** LMSW changes bits 3:0 of CR0; PE can only be set. Intel SDM Vol. 3C §25.1.3, "Instructions That Cause VM Exits Conditionally". */
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

/** Instructions of descriptor tables; a store is unprivileged unless CR4.UMIP is set. */
function descriptorTable(reason: number, isStore: boolean, identity: number): Prologue {
  return (m, operand) => {
    const may = isStore
      ? m.either(isSupervisor(m), m.isFalse(has(m, slots.cr4, CR4.UMIP)))
      : isSupervisor(m);
    const asked = has(m, vmx.secondary, SECONDARY.DESCRIPTOR_TABLE_EXITING);
    m.when(m.both(asked, may), () => {
      const size = m.mode === 64 || m.width === 32 ? 1 << 11 : 0;
      const fixed = m.constant(
        identity * 2 ** 28 + (reason === EXIT.GDTR_OR_IDTR_ACCESS ? size : 0),
      );
      const register =
        operand?.kind === "register"
          ? m.or(m.registerNumber(operand), m.constant(IS_REGISTER))
          : m.constant(0);
      m.setState(vmx.result, m.or(fixed, register));
      exit(m, reason);
    });
  };
}

const TABLES: Readonly<Record<string, Prologue>> = {
  sgdt: descriptorTable(EXIT.GDTR_OR_IDTR_ACCESS, true, 0),
  sidt: descriptorTable(EXIT.GDTR_OR_IDTR_ACCESS, true, 1),
  lgdt: descriptorTable(EXIT.GDTR_OR_IDTR_ACCESS, false, 2),
  lidt: descriptorTable(EXIT.GDTR_OR_IDTR_ACCESS, false, 3),
  sldt: descriptorTable(EXIT.LDTR_OR_TR_ACCESS, true, 0),
  str: descriptorTable(EXIT.LDTR_OR_TR_ACCESS, true, 1),
  lldt: descriptorTable(EXIT.LDTR_OR_TR_ACCESS, false, 2),
  ltr: descriptorTable(EXIT.LDTR_OR_TR_ACCESS, false, 3),
};

/** Software exceptions exit by the exception bitmap; all software interrupts are noted, should their delivery exit. */
function softwareInterrupt(vectorOf: (m: SemanticsBuilder) => Value, condition?: "OF"): Prologue {
  return (m) => {
    const runs = condition === undefined ? isNonRoot(m) : m.both(isNonRoot(m), m.flag(condition));
    m.when(runs, () => {
      m.setState(vmx.softwareVector, vectorOf(m));
      m.setState(vmx.softwareLength, m.subtract(m.nextRip(), m.thisRip(), 64));
      m.helper("vmxNoteSoftware");
    });
  };
}

function softwareException(vector: number, condition?: "OF"): Prologue {
  const note = softwareInterrupt((m) => m.constant(vector), condition);
  return (m, ...operands) => {
    const asked = has(m, vmx.exceptionBitmap, 1 << vector);
    const runs = condition === undefined ? asked : m.both(asked, m.flag(condition));
    m.when(runs, () => {
      m.setState(vmx.result, m.constant(vector));
      exit(m, EXIT.EXCEPTION_OR_NMI);
    });
    note(m, ...operands);
  };
}

/** IRET unblocks NMIs even when it faults; an exit for the fault must say that it did. */
const iret: Prologue = (m) =>
  m.when(m.both(isNonRoot(m), m.state(slots.nmiBlocked)), () => m.helper("vmxNoteIret"));

const SOFTWARE: Readonly<Record<string, Prologue>> = {
  iret,
  int3: softwareException(3),
  int1: softwareException(1),
  into: softwareException(4, "OF"),
};

/** The intercept of a form, or undefined where it never exits. */
export function interceptOf(instruction: Instruction, form: Form): Prologue | undefined {
  const { mnemonic } = instruction;
  const [first] = form.operands;
  if (mnemonic === "mov") return moveIntercept(form);
  if (mnemonic === "lmsw" && first !== undefined) return (m) => lmsw(m, first);
  if (mnemonic === "smsw" && first !== undefined) {
    return (m) => {
      const may = m.either(isSupervisor(m), m.isFalse(has(m, slots.cr4, CR4.UMIP)));
      m.when(m.both(m.state(vmx.cr0Mask), may), () => {
        m.count("instructions.smsw");
        m.write(first, shadowed(m, slots.cr0, vmx.cr0Mask, vmx.cr0Shadow));
        m.resumeAt(m.nextRip());
      });
    };
  }
  if (mnemonic === "invlpg" && first !== undefined) {
    return (m) => {
      const asked = m.both(has(m, vmx.primary, PRIMARY.INVLPG_EXITING), isSupervisor(m));
      m.when(asked, () => exit(m, EXIT.INVLPG, m.linearAddress(first)));
    };
  }
  if (mnemonic === "int" && first !== undefined) return softwareInterrupt((m) => m.read(first));
  return (
    plain[mnemonic] ?? TABLES[mnemonic] ?? SOFTWARE[mnemonic] ?? portIntercept(instruction, form)
  );
}
