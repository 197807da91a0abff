/**
 * The VMX instructions.
 *
 * What they check before they touch operands is here; the rest is TypeScript (vmx-processor.ts), which answers with one
 * of the {@link ANSWER} numbers. Intel SDM Vol. 3C §31.2, "Conventions"; §31.3, "VMX Instructions".
 */
import {
  CR4,
  opcodes,
  slots,
  type Classification,
  type Encoding,
  type Instruction,
  type Operand,
  type SemanticsBuilder,
  type Value,
} from "@ringside/isa";
import { EXIT } from "./exit-reasons.ts";
import { IS_REGISTER } from "./instruction-information.ts";
import { INTERNAL, OPERATION, vmx } from "./vmx-state.ts";

/** How an instruction ended: VMsucceed, VMfailInvalid, VMfailValid, or #GP(0). */
export const ANSWER = {
  SUCCEED: 0,
  FAIL_INVALID: 1,
  FAIL_VALID: 2,
  GENERAL_PROTECTION: 3,
} as const;

const REFERENCE = "Intel SDM Vol. 3C §31.3";

function privileged(why: string): Classification {
  return { privilege: "cpl0", sensitive: "control", why };
}

function raiseOutsideProtectedMode(m: SemanticsBuilder): void {
  const isReal = m.isZero(m.and(m.state(slots.cr0), m.constant(1)));
  m.raiseWhen(isReal, "UD");
  m.raiseWhen(m.and(m.state(slots.flagsSystem), m.constant(0x2_0000)), "UD");
  // Compatibility mode.
  if (m.mode !== 64) m.raiseWhen(m.state(slots.longMode), "UD");
}

/** Leaves with the part of the instruction information that is known here. */
function exitWith(
  m: SemanticsBuilder,
  reason: number,
  { place, register }: { readonly place?: Operand; readonly register?: Operand },
): void {
  const number = (operand: Operand, shift: number): Value =>
    m.shiftLeft(
      m.shiftRightUnsigned(m.registerNumber(operand), m.constant(3)),
      m.constant(shift),
      64,
    );
  const first =
    place?.kind === "register" ? m.or(number(place, 3), m.constant(IS_REGISTER)) : m.constant(0);
  const second = register === undefined ? m.constant(0) : number(register, 28);
  m.setState(vmx.result, m.or(first, second));
  m.setState(vmx.qualification, m.constant(0));
  m.raise("EXIT", m.constant(reason));
}

function isOperation(m: SemanticsBuilder, operation: number): Value {
  return m.equal(m.state(vmx.operation), m.constant(operation));
}

/** #UD outside VMX operation; a VM exit in non-root operation; #GP(0) in root operation outside CPL 0. */
function requireRoot(
  m: SemanticsBuilder,
  reason: number,
  operands: { readonly place?: Operand; readonly register?: Operand } = {},
): void {
  raiseOutsideProtectedMode(m);
  m.raiseWhen(isOperation(m, OPERATION.NONE), "UD");
  m.when(isOperation(m, OPERATION.NON_ROOT), () => exitWith(m, reason, operands));
  m.raiseWhen(m.state(slots.cpl), "GP", m.constant(0));
}

/** Sets the flags to what TypeScript answered. Intel SDM Vol. 3C §31.2, "Conventions". */
function conclude(m: SemanticsBuilder, answer: Value): void {
  const is = (number: number): Value => m.equal(answer, m.toI32(m.constant(number)));
  m.raiseWhen(is(ANSWER.GENERAL_PROTECTION), "GP", m.constant(0));
  const none = m.equal(m.constant(0), m.constant(1));
  m.setFlags({
    CF: is(ANSWER.FAIL_INVALID),
    ZF: is(ANSWER.FAIL_VALID),
    PF: none,
    AF: none,
    SF: none,
    OF: none,
  });
}

const FLAGS = { writes: ["CF", "PF", "AF", "ZF", "SF", "OF"] } as const;

interface Row {
  readonly mnemonic: string;
  readonly title: string;
  readonly why: string;
  readonly encodings: readonly Encoding[];
  readonly ends?: boolean;
  readonly semantics: (m: SemanticsBuilder, ...operands: Operand[]) => void;
}

function row({ title, why, ends, ...rest }: Row): Instruction {
  return {
    ...rest,
    reference: `${REFERENCE}, ${title}`,
    feature: "vmx",
    classification: privileged(why),
    flags: FLAGS,
    counted: true,
    ...(ends === undefined ? {} : { ends }),
  };
}

/** An instruction with a 64-bit pointer in memory. */
function withPointer(m: SemanticsBuilder, reason: number, pointer: Operand, helper: string): void {
  requireRoot(m, reason);
  m.setState(vmx.operand0, m.load(m.linearAddress(pointer), 8));
  conclude(m, m.helper(helper, [], "i32"));
}

const vmxon = row({
  mnemonic: "vmxon",
  title: "VMXON—Enter VMX Operation",
  why: "It makes the processor's owner a hypervisor.",
  encodings: opcodes`
    Opcode      | Instruction | Access
    F3 0F C7 /6 | VMXON m64   | n
  `,
  semantics(m, pointer) {
    if (pointer === undefined) throw new RangeError("VMXON takes an operand.");
    raiseOutsideProtectedMode(m);
    m.raiseWhen(m.isZero(m.and(m.state(slots.cr4), m.constant(CR4.VMXE))), "UD");
    m.when(isOperation(m, OPERATION.NON_ROOT), () => exitWith(m, EXIT.VMXON, { place: pointer }));
    m.raiseWhen(m.state(slots.cpl), "GP", m.constant(0));
    m.raiseWhen(m.helper("vmxonForbidden", [], "i32"), "GP", m.constant(0));
    m.setState(vmx.operand0, m.load(m.linearAddress(pointer), 8));
    conclude(m, m.helper("vmxon", [], "i32"));
  },
});

const vmxoff = row({
  mnemonic: "vmxoff",
  title: "VMXOFF—Leave VMX Operation",
  why: "It ends VMX operation.",
  encodings: opcodes`
    Opcode      | Instruction |
    NP 0F 01 C4 | VMXOFF      |
  `,
  semantics(m) {
    requireRoot(m, EXIT.VMXOFF);
    conclude(m, m.helper("vmxoff", [], "i32"));
  },
});

const vmclear = row({
  mnemonic: "vmclear",
  title: "VMCLEAR—Clear Virtual-Machine Control Structure",
  why: "It changes the state of a VMCS.",
  encodings: opcodes`
    Opcode      | Instruction | Access
    66 0F C7 /6 | VMCLEAR m64 | n
  `,
  semantics(m, pointer) {
    if (pointer === undefined) throw new RangeError("VMCLEAR takes an operand.");
    withPointer(m, EXIT.VMCLEAR, pointer, "vmclear");
  },
});

const vmptrld = row({
  mnemonic: "vmptrld",
  title: "VMPTRLD—Load Pointer to Virtual-Machine Control Structure",
  why: "It chooses the current VMCS.",
  encodings: opcodes`
    Opcode      | Instruction | Access
    NP 0F C7 /6 | VMPTRLD m64 | n
  `,
  semantics(m, pointer) {
    if (pointer === undefined) throw new RangeError("VMPTRLD takes an operand.");
    withPointer(m, EXIT.VMPTRLD, pointer, "vmptrld");
  },
});

const vmptrst = row({
  mnemonic: "vmptrst",
  title: "VMPTRST—Store Pointer to Virtual-Machine Control Structure",
  why: "It tells which VMCS is current.",
  encodings: opcodes`
    Opcode      | Instruction | Access
    NP 0F C7 /7 | VMPTRST m64 | n
  `,
  semantics(m, destination) {
    if (destination === undefined) throw new RangeError("VMPTRST takes an operand.");
    requireRoot(m, EXIT.VMPTRST);
    m.store(m.linearAddress(destination), 8, m.state(vmx.currentVmcs));
    conclude(m, m.toI32(m.constant(ANSWER.SUCCEED)));
  },
});

const vmread = row({
  mnemonic: "vmread",
  title: "VMREAD—Read Field from Virtual-Machine Control Structure",
  why: "It reads a VMCS.",
  encodings: opcodes`
    Opcode      | Instruction         | Access | Mode
    NP 0F 78 /r | VMREAD r/m64, r64   | w r    | 64
    NP 0F 78 /r | VMREAD r/m32, r32   | w r    | legacy
  `,
  semantics(m, destination, encoding) {
    if (destination === undefined || encoding === undefined)
      throw new RangeError("VMREAD takes two operands.");
    requireRoot(m, EXIT.VMREAD, { place: destination, register: encoding });
    m.setState(vmx.operand0, m.read(encoding));
    const answer = m.helper("vmread", [], "i32");
    m.when(m.isZero(answer), () => m.write(destination, m.state(vmx.result)));
    conclude(m, answer);
  },
});

const vmwrite = row({
  mnemonic: "vmwrite",
  title: "VMWRITE—Write Field to Virtual-Machine Control Structure",
  why: "It writes a VMCS.",
  encodings: opcodes`
    Opcode      | Instruction         | Access | Mode
    NP 0F 79 /r | VMWRITE r64, r/m64  | r r    | 64
    NP 0F 79 /r | VMWRITE r32, r/m32  | r r    | legacy
  `,
  semantics(m, encoding, source) {
    if (source === undefined || encoding === undefined)
      throw new RangeError("VMWRITE takes two operands.");
    requireRoot(m, EXIT.VMWRITE, { place: source, register: encoding });
    m.setState(vmx.operand1, m.read(source));
    m.setState(vmx.operand0, m.read(encoding));
    conclude(m, m.helper("vmwrite", [], "i32"));
  },
});

/** VMLAUNCH and VMRESUME leave for TypeScript, which goes on in the guest or behind the instruction. */
function enters(m: SemanticsBuilder, reason: number, entry: number): void {
  requireRoot(m, reason);
  m.raise("EXIT", m.constant(entry));
}

const vmlaunch = row({
  mnemonic: "vmlaunch",
  title: "VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine",
  why: "It enters a virtual machine.",
  ends: true,
  encodings: opcodes`
    Opcode      | Instruction |
    NP 0F 01 C2 | VMLAUNCH    |
  `,
  semantics(m) {
    enters(m, EXIT.VMLAUNCH, INTERNAL.VMLAUNCH);
  },
});

const vmresume = row({
  mnemonic: "vmresume",
  title: "VMLAUNCH/VMRESUME—Launch/Resume Virtual Machine",
  why: "It enters a virtual machine.",
  ends: true,
  encodings: opcodes`
    Opcode      | Instruction |
    NP 0F 01 C3 | VMRESUME    |
  `,
  semantics(m) {
    enters(m, EXIT.VMRESUME, INTERNAL.VMRESUME);
  },
});

/** In root operation VMCALL would activate the SMM monitor, which there is none of: VMfail. */
const vmcall = row({
  mnemonic: "vmcall",
  title: "VMCALL—Call to VM Monitor",
  why: "It calls the hypervisor.",
  encodings: opcodes`
    Opcode      | Instruction |
    NP 0F 01 C1 | VMCALL      |
  `,
  semantics(m) {
    requireRoot(m, EXIT.VMCALL);
    conclude(m, m.helper("vmcallInRoot", [], "i32"));
  },
});

/** INVEPT and INVVPID: a type in a register, a descriptor of 16 bytes in memory. */
function invalidates(
  m: SemanticsBuilder,
  type: Operand,
  descriptor: Operand,
  reason: number,
  helper: string,
): void {
  requireRoot(m, reason, { place: descriptor, register: type });
  const linear = m.linearAddress(descriptor);
  m.setState(vmx.operand0, m.read(type));
  m.setState(vmx.operand1, m.load(linear, 8));
  m.setState(vmx.operand2, m.load(m.add(linear, m.constant(8), 64), 8));
  conclude(m, m.helper(helper, [], "i32"));
  m.resumeAt(m.nextRip());
}

const invept = row({
  mnemonic: "invept",
  title: "INVEPT—Invalidate Translations Derived from EPT",
  why: "It drops translations of virtual machines.",
  ends: true,
  encodings: opcodes`
    Opcode         | Instruction      | Access | Mode
    66 0F 38 80 /r | INVEPT r64, m128 | r n    | 64
    66 0F 38 80 /r | INVEPT r32, m128 | r n    | legacy
  `,
  semantics(m, type, descriptor) {
    if (type === undefined || descriptor === undefined)
      throw new RangeError("INVEPT takes two operands.");
    invalidates(m, type, descriptor, EXIT.INVEPT, "invept");
  },
});

const invvpid = row({
  mnemonic: "invvpid",
  title: "INVVPID—Invalidate Translations Based on VPID",
  why: "It drops translations of virtual machines.",
  ends: true,
  encodings: opcodes`
    Opcode         | Instruction       | Access | Mode
    66 0F 38 81 /r | INVVPID r64, m128 | r n    | 64
    66 0F 38 81 /r | INVVPID r32, m128 | r n    | legacy
  `,
  semantics(m, type, descriptor) {
    if (type === undefined || descriptor === undefined)
      throw new RangeError("INVVPID takes two operands.");
    invalidates(m, type, descriptor, EXIT.INVVPID, "invvpid");
  },
});

/** The rows that every VMX has. */
const always: readonly Instruction[] = [
  vmxon,
  vmxoff,
  vmclear,
  vmptrld,
  vmptrst,
  vmread,
  vmwrite,
  vmlaunch,
  vmresume,
  vmcall,
];

/** The rows of a processor with these abilities; what it does not have is an undefined opcode. */
export function vmxInstructions(has: {
  readonly ept: boolean;
  readonly vpid: boolean;
}): readonly Instruction[] {
  return [...always, ...(has.ept ? [invept] : []), ...(has.vpid ? [invvpid] : [])];
}
