/**
 * The time-stamp counter and the performance counters: RDTSC, RDTSCP and RDPMC.
 *
 * Intel SDM Vol. 2B, "RDTSC—Read Time-Stamp Counter"; "RDTSCP—Read Time-Stamp Counter and Processor ID"; "RDPMC—Read
 * Performance-Monitoring Counters"; Vol. 3B §18.17, "Time-Stamp Counter".
 */
import { opcodes, type Classification, type Instruction } from "../dsl.ts";
import { hasBits } from "../exceptions/mode.ts";
import { CR4 } from "../profile/registers.ts";
import type { SemanticsBuilder } from "../semantics.ts";
import { slots } from "../state/layout.ts";

const RAX = 0;
const RCX = 1;
const RDX = 2;

const readsTime: Classification = {
  privilege: "cr4",
  sensitive: "behaviour",
  why: "It reads the time of the real machine unless CR4.TSD is set.",
};

/** EDX:EAX = TSC, or #GP(0) outside CPL 0 under CR4.TSD. */
function readTimestamp(m: SemanticsBuilder): void {
  const isUser = m.notEqual(m.state(slots.cpl), m.constant(0));
  m.raiseWhen(m.both(isUser, hasBits(m, m.state(slots.cr4), CR4.TSD)), "GP", m.constant(0));
  m.helper("readTimestamp");
  const time = m.state(slots.scratch0);
  m.setRegister(RAX, m.and(time, m.constant(0xffff_ffffn)), 64);
  m.setRegister(RDX, m.shiftRightUnsigned(time, m.constant(32)), 64);
}

export const rdtsc: Instruction = {
  mnemonic: "rdtsc",
  reference: "Intel SDM Vol. 2B, RDTSC—Read Time-Stamp Counter",
  feature: "tsc",
  classification: readsTime,
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F 31  | RDTSC       |
  `,
  semantics(m) {
    readTimestamp(m);
  },
};

export const rdtscp: Instruction = {
  mnemonic: "rdtscp",
  reference: "Intel SDM Vol. 2B, RDTSCP—Read Time-Stamp Counter and Processor ID",
  feature: "rdtscp",
  classification: readsTime,
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction |
    0F 01 F9 | RDTSCP      |
  `,
  semantics(m) {
    readTimestamp(m);
    m.setRegister(RCX, m.and(m.state(slots.tscAux), m.constant(0xffff_ffffn)), 64);
  },
};

export const rdpmc: Instruction = {
  mnemonic: "rdpmc",
  reference: "Intel SDM Vol. 2B, RDPMC—Read Performance-Monitoring Counters",
  classification: {
    privilege: "cr4",
    sensitive: "behaviour",
    why: "It reads counters of the real machine when CR4.PCE allows it.",
  },
  counted: true,
  encodings: opcodes`
    Opcode | Instruction |
    0F 33  | RDPMC       |
  `,
  semantics(m) {
    // The profile has no performance counters, and an index that does not exist is #GP(0).
    m.raise("GP", m.constant(0));
  },
};
