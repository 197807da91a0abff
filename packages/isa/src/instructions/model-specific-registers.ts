/**
 * RDMSR, WRMSR, SWAPGS and RSM. Which MSRs there are is in profile/msr.ts.
 *
 * Intel SDM Vol. 2B, "RDMSR—Read From Model Specific Register"; "SWAPGS—Swap GS Base Register"; "RSM—Resume From System
 * Management Mode"; Vol. 2D, "WRMSR—Write to Model Specific Register".
 */
import { opcodes, type Instruction } from "../dsl.ts";
import { requireSupervisor, updateMode } from "../exceptions/mode.ts";
import { segmentSlots, slots } from "../state/layout.ts";
import { recheckWhenPending } from "./control-registers.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;
const GS = 5;

export const rdmsr: Instruction = {
  mnemonic: "rdmsr",
  reference: "Intel SDM Vol. 2B, RDMSR—Read From Model Specific Register",
  feature: "msr",
  classification: {
    privilege: "cpl0",
    sensitive: "behaviour",
    why: "It reads the machine's configuration.",
  },
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F 32  | RDMSR       |
  `,
  semantics(m) {
    requireSupervisor(m);
    // The value comes in scratch0; a result other than 0 means that there is no such MSR.
    m.raiseWhen(m.helper("readMsr", [m.toI32(m.register(RCX, 32))], "i32"), "GP", m.constant(0));
    const value = m.state(slots.scratch0);
    m.setRegister(RAX, m.and(value, m.constant(0xffff_ffffn)), 64);
    m.setRegister(RDX, m.shiftRightUnsigned(value, m.constant(32)), 64);
  },
};

export const wrmsr: Instruction = {
  mnemonic: "wrmsr",
  reference: "Intel SDM Vol. 2D, WRMSR—Write to Model Specific Register",
  feature: "msr",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It writes the machine's configuration.",
  },
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F 30  | WRMSR       |
  `,
  semantics(m) {
    requireSupervisor(m);
    const high = m.shiftLeft(m.register(RDX, 32), m.constant(32), 64);
    m.setState(slots.scratch0, m.or(high, m.register(RAX, 32)));
    m.raiseWhen(m.helper("writeMsr", [m.toI32(m.register(RCX, 32))], "i32"), "GP", m.constant(0));
    m.call(updateMode);
    recheckWhenPending(m);
    m.resumeAt(m.nextRip());
  },
};

export const swapgs: Instruction = {
  mnemonic: "swapgs",
  reference: "Intel SDM Vol. 2B, SWAPGS—Swap GS Base Register",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It exchanges the kernel's GS base with the program's.",
  },
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction | Access | Mode
    0F 01 F8 | SWAPGS      |        | 64
  `,
  semantics(m) {
    requireSupervisor(m);
    const gs = segmentSlots(GS);
    const kernelBase = m.state(slots.kernelGsBase);
    m.setState(slots.kernelGsBase, m.state(gs.base));
    m.setState(gs.base, kernelBase);
    m.setState(gs.effectiveBase, kernelBase);
  },
};

export const rsm: Instruction = {
  mnemonic: "rsm",
  reference: "Intel SDM Vol. 2B, RSM—Resume From System Management Mode",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It leaves system management mode; outside of it, it is an undefined opcode at every level.",
  },
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F AA  | RSM         |
  `,
  semantics(m) {
    m.raise("UD");
  },
};
