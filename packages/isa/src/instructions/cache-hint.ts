/**
 * PREFETCHh, PREFETCHW, the fences, CLFLUSH and MOVNTI: what has to do with caches and order, of which one processor
 * at a time shows nothing.
 *
 * Intel SDM Vol. 2B, "PREFETCHh—Prefetch Data Into Caches" and under each name. Prefetches never fault; CLFLUSH does, as
 * a byte load would.
 */
import { opcodes, type Encoding, type Instruction } from "../dsl.ts";
import type { Operand, SemanticsBuilder } from "../semantics.ts";

function hint(
  mnemonic: string,
  reference: string,
  feature: string,
  encodings: readonly Encoding[],
): Instruction {
  return { mnemonic, reference, feature, encodings, semantics() {} };
}

const PREFETCH = "Intel SDM Vol. 2B, PREFETCHh—Prefetch Data Into Caches";

export const prefetchnta: Instruction = hint(
  "prefetchnta",
  PREFETCH,
  "sse",
  opcodes`
    Opcode      | Instruction    | Access
    0F 18 /0    | PREFETCHNTA m8 | n
  `,
);

export const prefetcht0: Instruction = hint(
  "prefetcht0",
  PREFETCH,
  "sse",
  opcodes`
    Opcode      | Instruction    | Access
    0F 18 /1    | PREFETCHT0 m8  | n
  `,
);

export const prefetcht1: Instruction = hint(
  "prefetcht1",
  PREFETCH,
  "sse",
  opcodes`
    Opcode      | Instruction    | Access
    0F 18 /2    | PREFETCHT1 m8  | n
  `,
);

export const prefetcht2: Instruction = hint(
  "prefetcht2",
  PREFETCH,
  "sse",
  opcodes`
    Opcode      | Instruction    | Access
    0F 18 /3    | PREFETCHT2 m8  | n
  `,
);

export const prefetchw: Instruction = {
  mnemonic: "prefetchw",
  reference: "Intel SDM Vol. 2B, PREFETCHW—Prefetch Data Into Caches in Anticipation of a Write",

  // Processors without the feature execute it as a NOP, and kernels patch it in without asking.
  encodings: opcodes`
    Opcode      | Instruction    | Access
    0F 0D /1    | PREFETCHW m8   | n
  `,

  semantics() {},
};

export const lfence: Instruction = hint(
  "lfence",
  "Intel SDM Vol. 2A, LFENCE—Load Fence",
  "sse2",
  opcodes`
    Opcode      | Instruction    | Access
    NP 0F AE E8 | LFENCE         | -
  `,
);

export const mfence: Instruction = hint(
  "mfence",
  "Intel SDM Vol. 2B, MFENCE—Memory Fence",
  "sse2",
  opcodes`
    Opcode      | Instruction    | Access
    NP 0F AE F0 | MFENCE         | -
  `,
);

export const sfence: Instruction = hint(
  "sfence",
  "Intel SDM Vol. 2B, SFENCE—Store Fence",
  "sse",
  opcodes`
    Opcode      | Instruction    | Access
    NP 0F AE F8 | SFENCE         | -
  `,
);

export const clflush: Instruction = {
  mnemonic: "clflush",
  reference: "Intel SDM Vol. 2A, CLFLUSH—Flush Cache Line",
  feature: "clflush",

  encodings: opcodes`
    Opcode      | Instruction    | Access
    NP 0F AE /7 | CLFLUSH m8     | r
  `,

  semantics(m: SemanticsBuilder, line: Operand) {
    m.read(line);
  },
};

export const movnti: Instruction = {
  mnemonic: "movnti",
  reference: "Intel SDM Vol. 2B, MOVNTI—Store Doubleword Using Non-Temporal Hint",
  feature: "sse2",

  encodings: opcodes`
    Opcode            | Instruction     | Access
    NP o32 0F C3 /r   | MOVNTI m32, r32 | w r
    NP REX.W 0F C3 /r | MOVNTI m64, r64 | w r
  `,

  semantics(m: SemanticsBuilder, dst: Operand, src: Operand) {
    m.write(dst, m.read(src));
  },
};
