/**
 * INVLPG, and the cache instructions INVD and WBINVD, which have nothing to do here.
 *
 * Intel SDM Vol. 2A, "INVLPG—Invalidate TLB Entries"; "INVD—Invalidate Internal Caches"; Vol. 2D, "WBINVD—Write Back and
 * Invalidate Cache"; Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches".
 */
import { opcodes, type Classification, type Instruction } from "../dsl.ts";
import { hasBits, requireSupervisor } from "../exceptions/mode.ts";
import { CR4 } from "../profile/registers.ts";
import type { Value } from "../semantics.ts";
import { slots } from "../state/layout.ts";

const invalidatesCaches: Classification = {
  privilege: "cpl0",
  sensitive: "control",
  why: "It empties the machine's caches.",
};

export const invlpg: Instruction = {
  mnemonic: "invlpg",
  reference: "Intel SDM Vol. 2A, INVLPG—Invalidate TLB Entries",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It drops a translation that the machine may have cached.",
  },
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction | Access
    0F 01 /7 | INVLPG m    | n
  `,
  semantics(m, page) {
    requireSupervisor(m);
    const linear = m.linearAddress(page);
    // Nothing is accessed, so a segment's limit does not matter, and its mark goes.
    m.setState(slots.scratch0, m.mode === 64 ? linear : m.truncate(linear, 32));
    m.helper("invalidatePage");
    // The page may be the one that code is being fetched from.
    m.resumeAt(m.nextRip());
  },
  ends: true,
};

/** Types of INVPCID. */
const INVALIDATE = { ADDRESS: 0, PCID: 1, ALL_WITH_GLOBAL: 2, ALL: 3 } as const;

/**
 * INVPCID. The TLB holds the translations of one PCID, those of the current CR3.
 *
 * Intel SDM Vol. 2A, "INVPCID—Invalidate Process-Context Identifier".
 */
export const invpcid: Instruction = {
  mnemonic: "invpcid",
  reference: "Intel SDM Vol. 2A, INVPCID—Invalidate Process-Context Identifier",
  feature: "invpcid",
  classification: {
    privilege: "cpl0",
    sensitive: "control",
    why: "It drops translations that the machine may have cached.",
  },
  counted: true,
  ends: true,
  encodings: opcodes`
    Opcode         | Instruction       | Access | Mode
    66 0F 38 82 /r | INVPCID r32, m128 | r n    | legacy
    66 0F 38 82 /r | INVPCID r64, m128 | r n    | 64
  `,
  semantics(m, type, descriptor) {
    requireSupervisor(m);
    const at = m.linearAddress(descriptor);
    const pcid = m.load(at, 8);
    const linear = m.load(m.add(at, m.constant(8), 64), 8);
    const kind = m.read(type);
    const refuse = (condition: Value): void => m.raiseWhen(condition, "GP", m.constant(0));
    refuse(m.lessThanUnsigned(m.constant(INVALIDATE.ALL), kind));
    const namesPcid = m.lessThanUnsigned(kind, m.constant(INVALIDATE.ALL_WITH_GLOBAL));
    const isAddress = m.equal(kind, m.constant(INVALIDATE.ADDRESS));
    const lacksPcids = m.isFalse(hasBits(m, m.state(slots.cr4), CR4.PCIDE));
    refuse(m.notEqual(m.and(pcid, m.constant(~0xfffn)), m.constant(0)));
    refuse(m.both(namesPcid, m.both(lacksPcids, m.notEqual(pcid, m.constant(0)))));
    refuse(m.both(isAddress, m.isFalse(m.isCanonical(linear))));
    m.when(
      isAddress,
      () => {
        m.setState(slots.scratch0, linear);
        m.helper("invalidatePage");
      },
      () => {
        const includingGlobal = m.equal(kind, m.constant(INVALIDATE.ALL_WITH_GLOBAL));
        m.helper("flushTlb", [includingGlobal]);
      },
    );
    m.resumeAt(m.nextRip());
  },
};

/** Memory is always coherent here, so there is nothing to lose and nothing to write back. */
export const invd: Instruction = {
  mnemonic: "invd",
  reference: "Intel SDM Vol. 2A, INVD—Invalidate Internal Caches",
  classification: invalidatesCaches,
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F 08  | INVD        |
  `,
  semantics(m) {
    requireSupervisor(m);
  },
};

export const wbinvd: Instruction = {
  mnemonic: "wbinvd",
  reference: "Intel SDM Vol. 2D, WBINVD—Write Back and Invalidate Cache",
  classification: invalidatesCaches,
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F 09  | WBINVD      |
  `,
  semantics(m) {
    requireSupervisor(m);
  },
};
