/**
 * INVLPG, and the cache instructions INVD and WBINVD, which have nothing to do here.
 *
 * Intel SDM Vol. 2A, "INVLPG—Invalidate TLB Entries"; "INVD—Invalidate Internal Caches"; Vol. 2D, "WBINVD—Write Back and
 * Invalidate Cache"; Vol. 3A §4.10.4.1, "Operations that Invalidate TLBs and Paging-Structure Caches".
 */
import { opcodes, type Classification, type Instruction } from "../dsl.ts";
import { requireSupervisor } from "../exceptions/mode.ts";
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
