/**
 * Intercepts: code in front of instructions that may exit from non-root operation, by the control that asks for it.
 *
 * Exceptions that an instruction raises for want of privilege come before its VM exit, so an intercept of a privileged
 * instruction only looks at CPL 0 and lets the instruction itself raise #GP elsewhere.
 *
 * Intel SDM Vol. 3C §26.1, "Instructions That Cause VM Exits"; §26.3, "Changes to Instruction Behavior in VMX Non-Root
 * Operation"; §28.2.1, "Basic VM-Exit Information".
 */
import {
  slots,
  CR4,
  type Form,
  type Instruction,
  type Prologue,
  type Routine,
  type SemanticsBuilder,
  type Slot,
  type Value,
} from "@ringside/isa";
import { controlRegisterIntercept } from "./control-register-intercepts.ts";
import { PRIMARY, SECONDARY } from "./controls.ts";
import { EXIT } from "./exit-reasons.ts";
import { IS_REGISTER } from "./instruction-information.ts";
import { exit, has, isNonRoot, isSupervisor } from "./intercept.ts";
import { portIntercept } from "./port-intercepts.ts";
import { vmx } from "./vmx-state.ts";

const RCX = 1;

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
};

function mayReadTime(m: SemanticsBuilder, control: number): Value {
  const allowed = m.either(isSupervisor(m), m.isFalse(has(m, slots.cr4, CR4.TSD)));
  return m.both(has(m, vmx.primary, control), allowed);
}

/** MSR bitmaps: read-low, read-high, write-low, write-high of 1 KiB each. Intel SDM Vol. 3C §25.6.9, "MSR-Bitmap Address". */
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
  if (mnemonic === "invlpg" && first !== undefined) {
    return (m) => {
      const asked = m.both(has(m, vmx.primary, PRIMARY.INVLPG_EXITING), isSupervisor(m));
      m.when(asked, () => exit(m, EXIT.INVLPG, m.linearAddress(first)));
    };
  }
  if (mnemonic === "int" && first !== undefined) return softwareInterrupt((m) => m.read(first));
  return (
    controlRegisterIntercept(form, mnemonic) ??
    plain[mnemonic] ??
    TABLES[mnemonic] ??
    SOFTWARE[mnemonic] ??
    portIntercept(instruction, form)
  );
}
