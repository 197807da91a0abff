/**
 * Looking at descriptors without loading them: LAR, LSL, VERR and VERW. They never fault on what they find; ZF tells.
 *
 * Intel SDM Vol. 2A, "LAR—Load Access Rights Byte"; "LSL—Load Segment Limit"; Vol. 2D, "VERR/VERW—Verify a Segment for
 * Reading or Writing".
 */
import { opcodes, type Classification, type Instruction } from "../dsl.ts";
import { attributesOf, isCode, limitOf } from "../segmentation/descriptor.ts";
import {
  examineDescriptor,
  LAR_SYSTEM_TYPES,
  LSL_SYSTEM_TYPES,
} from "../segmentation/examine-descriptor.ts";
import { TYPE } from "../segmentation/attributes.ts";
import { hasBits, requireProtected } from "../exceptions/mode.ts";
import type { Operand, SemanticsBuilder, Value } from "../semantics.ts";

const dependsOnPrivilege: Classification = {
  privilege: "none",
  sensitive: "behaviour",
  why: "The answer depends on the real CPL and on descriptors that the real kernel owns.",
};

function examine(m: SemanticsBuilder, source: Operand, systemTypes: number): Value {
  requireProtected(m);
  return m.call(
    examineDescriptor,
    m.and(m.read(source), m.constant(0xffff)),
    m.constant(systemTypes),
  );
}

export const lar: Instruction = {
  mnemonic: "lar",
  reference: "Intel SDM Vol. 2A, LAR—Load Access Rights Byte",
  classification: dependsOnPrivilege,
  flags: { writes: ["ZF"] },
  counted: true,
  encodings: opcodes`
    Opcode         | Instruction      | Access
    o16 0F 02 /r   | LAR r16, r/m16   | w r
    o32 0F 02 /r   | LAR r32, r32/m16 | w r
    REX.W 0F 02 /r | LAR r64, r64/m16 | w r
  `,
  semantics(m, destination, source) {
    const descriptor = examine(m, source, LAR_SYSTEM_TYPES);
    const isValid = m.notEqual(descriptor, m.constant(0));
    const rights = m.shiftRightUnsigned(descriptor, m.constant(32));
    const kept = m.constant(destination.bits === 16 ? 0xff00 : 0xf0_ff00);
    m.when(isValid, () => m.write(destination, m.and(rights, kept)));
    m.setFlags({ ZF: isValid });
  },
};

export const lsl: Instruction = {
  mnemonic: "lsl",
  reference: "Intel SDM Vol. 2A, LSL—Load Segment Limit",
  classification: dependsOnPrivilege,
  flags: { writes: ["ZF"] },
  counted: true,
  encodings: opcodes`
    Opcode         | Instruction      | Access
    o16 0F 03 /r   | LSL r16, r/m16   | w r
    o32 0F 03 /r   | LSL r32, r32/m16 | w r
    REX.W 0F 03 /r | LSL r64, r64/m16 | w r
  `,
  semantics(m, destination, source) {
    const descriptor = examine(m, source, LSL_SYSTEM_TYPES);
    const isValid = m.notEqual(descriptor, m.constant(0));
    const limit = limitOf(m, descriptor);
    m.when(isValid, () => m.write(destination, limit));
    m.setFlags({ ZF: isValid });
  },
};

export const verr: Instruction = {
  mnemonic: "verr",
  reference: "Intel SDM Vol. 2D, VERR/VERW—Verify a Segment for Reading or Writing",
  classification: dependsOnPrivilege,
  flags: { writes: ["ZF"] },
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction | Access
    0F 00 /4 | VERR r/m16  | r
  `,
  semantics(m, source) {
    const descriptor = examine(m, source, 0);
    const attributes = attributesOf(m, descriptor);
    const readable = m.either(
      m.isFalse(isCode(m, attributes)),
      hasBits(m, attributes, TYPE.WRITABLE_OR_READABLE),
    );
    m.setFlags({ ZF: m.both(m.notEqual(descriptor, m.constant(0)), readable) });
  },
};

export const verw: Instruction = {
  mnemonic: "verw",
  reference: "Intel SDM Vol. 2D, VERR/VERW—Verify a Segment for Reading or Writing",
  classification: dependsOnPrivilege,
  flags: { writes: ["ZF"] },
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction | Access
    0F 00 /5 | VERW r/m16  | r
  `,
  semantics(m, source) {
    const descriptor = examine(m, source, 0);
    const attributes = attributesOf(m, descriptor);
    const writable = m.both(
      m.isFalse(isCode(m, attributes)),
      hasBits(m, attributes, TYPE.WRITABLE_OR_READABLE),
    );
    m.setFlags({ ZF: m.both(m.notEqual(descriptor, m.constant(0)), writable) });
  },
};

/** Raises the RPL of a selector that a less privileged caller gave to the caller's. */
export const arpl: Instruction = {
  mnemonic: "arpl",
  reference: "Intel SDM Vol. 2A, ARPL—Adjust RPL Field of Segment Selector",
  flags: { writes: ["ZF"] },
  encodings: opcodes`
    Opcode | Instruction      | Access | Mode
    63 /r  | ARPL r/m16, r16  | rw r   | legacy
  `,
  semantics(m, destination, source) {
    requireProtected(m);
    // Nothing is written where nothing is adjusted: the page may be read-only.
    const selector =
      destination.kind === "memory" ? m.load(m.linearAddress(destination), 2) : m.read(destination);
    const rpl = m.and(m.read(source), m.constant(3));
    const isLower = m.lessThanUnsigned(m.and(selector, m.constant(3)), rpl);
    const raised = m.or(m.and(selector, m.constant(0xfffc)), rpl);
    m.when(isLower, () => m.write(destination, raised));
    m.setFlags({ ZF: isLower });
  },
};
