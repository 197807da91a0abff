/**
 * Privileged instructions that a guest's kernel still executes: emulated one by one when they fault.
 *
 * Which ones, and what each may do, is Xen's list (xen/arch/x86/pv/emul-priv-op.c): port accesses, CLTS, WBINVD, moves
 * to and from control and debug registers, RDMSR and WRMSR, RDTSC and RDTSCP, CPUID; CLI and STI are skipped where the
 * guest's I/O privilege level lets them. The meaning of an instruction is the instruction table's, executed on a
 * virtual processor in ring 0 whose control registers are those that the guest is to see.
 */
import { ProcessorIdentity } from "@ringside/hypervisor";
import {
  CR0,
  decode,
  isDecodeFault,
  slots,
  VECTOR,
  VirtualProcessor,
  type ProcessorState,
} from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import type { Domain } from "../domain.ts";
import { newBase } from "../hypercalls/paging.ts";
import { writeDebugRegister } from "../hypercalls/processor.ts";
import { TYPE } from "../memory/frame-table.ts";
import { isTouch } from "../paging/entry.ts";
import { RAX, RCX } from "./registers.ts";
import { xenIdentity } from "./xen-identity.ts";

const portInstructions: ReadonlySet<string> = new Set(["in", "out", "ins", "outs"]);
const kernelInstructions: ReadonlySet<string> = new Set([
  "clts",
  "wbinvd",
  // To and from control and debug registers: others are not privileged.
  "mov",
  "rdmsr",
  "wrmsr",
  "rdtsc",
  "rdtscp",
  "cpuid",
]);
const instructionBytesMaximum = 15;
/** UD2 and "xen", in front of CPUID: the guest wants Xen's answer. */
const forcedPrefix = [0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2] as const;

/** CR4 as guests see it: PAE, OSFXSR, OSXMMEXCPT. */
const GUEST_CR4 = 0x620n;

const MSR = {
  FS_BASE: 0xc000_0100,
  GS_BASE: 0xc000_0101,
  KERNEL_GS_BASE: 0xc000_0102,
  EFER: 0xc000_0080,
  PAT: 0x277,
} as const;

/** What came of it: done, or the guest's own fault. */
export type Emulated = "done" | "refused";

export class PrivilegedOperations {
  readonly #domain: Domain;
  readonly #virtual: VirtualProcessor;
  readonly #identity: ProcessorIdentity;
  /** The instruction used CR8, which a guest does not have. */
  #isTaskPriority = false;
  /** The instruction wrote to memory that the guest may not write, as INS can; nothing was written there. */
  #isForbidden = false;

  constructor(domain: Domain) {
    this.#domain = domain;
    const { profile } = domain.processor;
    this.#identity = new ProcessorIdentity(profile, () => undefined);
    this.#virtual = new VirtualProcessor({
      profile,
      accessors: {
        readPhysical: (physical, bytes) => {
          const inside = physical + bytes.length <= domain.physical.sizeBytes;
          bytes.set(inside ? domain.physical.read(physical, bytes.length) : bytes.fill(0xff));
        },
        writePhysical: (physical, bytes) => {
          const { frames, physical: memory } = domain;
          const frame = Math.floor(physical / frameBytes);
          const isOwned = frames.isOwned(frame);
          // Ring 0 could write more than the guest may: also Xen's mapping of the guest's descriptors.
          const mayWrite = isOwned && frames.type(frame) === TYPE.WRITABLE;
          const isWalk = isTouch(memory, physical, bytes);
          if (mayWrite || (isOwned && isWalk)) memory.write(physical, bytes);
          else if (!isWalk) this.#isForbidden = true;
        },
        // An unprivileged domain has no ports: nobody answers.
        readPort: (_port, sizeBytes) => (sizeBytes === 4 ? -1 : 2 ** (8 * sizeBytes) - 1),
        writePort: () => {},
        readTaskPriority: () => {
          this.#isTaskPriority = true;
          return 0;
        },
        writeTaskPriority: () => {
          this.#isTaskPriority = true;
        },
        invalidatePage: () => {},
        flushTlb: () => {},
        now: () => domain.clock.now,
        readMsr: (index) => this.#readMsr(index),
        writeMsr: (index, value) => this.#writeMsr(index, value),
      },
    });
  }

  /** The guest's #UD: whether it was CPUID with the prefix for Xen; then it has been done. */
  forcedCpuid(): Emulated {
    const { registers, access } = this.#domain;
    const at = { low: registers.ripLow, high: registers.ripHigh };
    const bytes = access.read(at, forcedPrefix.length);
    if (bytes === undefined || !forcedPrefix.every((byte, index) => bytes[index] === byte))
      return "refused";
    this.#cpuid();
    registers.advance(forcedPrefix.length);
    this.#domain.work.addEmulated("cpuid");
    return "done";
  }

  /** The guest's #GP: executes the instruction if it is one of the list and the guest may. */
  emulate(): Emulated {
    const { vcpu, registers, work, processor } = this.#domain;
    const mnemonic = this.#mnemonic();
    if (mnemonic === undefined) return "refused";
    const level = vcpu.inKernel ? 1 : 3;
    const mayUsePorts = vcpu.privilegeLevel >= level;
    if (mnemonic === "cli" || mnemonic === "sti") {
      if (!mayUsePorts) return "refused";
      // Skipped: the guest masks events in memory, and would not notice that this one did.
      registers.advance(1);
      work.addEmulated(mnemonic);
      return "done";
    }
    if (portInstructions.has(mnemonic)) {
      if (!mayUsePorts) return "refused";
    } else if (!kernelInstructions.has(mnemonic) || !vcpu.inKernel) return "refused";
    if (mnemonic === "cpuid") {
      this.#cpuid();
      registers.advance(2);
      work.addEmulated(mnemonic);
      return "done";
    }
    const { state } = this.#virtual;
    this.#load(state);
    const before = this.#controls(state);
    this.#isTaskPriority = false;
    this.#isForbidden = false;
    const emulation = this.#virtual.emulateOne();
    if (emulation.kind !== "retired") return this.#failed(emulation);
    if (this.#isTaskPriority || this.#isForbidden) return "refused";
    if (!this.#applyControls(before, state)) return "refused";
    work.addEmulated(mnemonic);
    this.#store(state, processor.state);
    return "done";
  }

  /** A string of port accesses may touch memory that is not there. */
  #failed(emulation: ReturnType<VirtualProcessor["emulateOne"]>): Emulated {
    if (emulation.kind !== "fault" || emulation.vector !== VECTOR.PF) return "refused";
    this.#domain.vcpu.injectPageFault(emulation.errorCode ?? 0, emulation.linear);
    return "done";
  }

  #mnemonic(): string | undefined {
    const { registers, access, processor } = this.#domain;
    const at = { low: registers.ripLow, high: registers.ripHigh };
    let bytes = access.read(at, instructionBytesMaximum);
    // It may end at the end of a page with nothing behind.
    bytes ??= access.read(
      at,
      Math.min(instructionBytesMaximum, frameBytes - (at.low % frameBytes)),
    );
    const { mode } = processor.state;
    if (bytes === undefined || (mode !== 64 && mode !== 32)) return undefined;
    const decoded = decode(bytes, 0, { mode });
    if (isDecodeFault(decoded)) return undefined;
    const { mnemonic, classification } = decoded.form.instruction;
    // A plain MOV may fault too, for its address.
    if (mnemonic === "mov" && classification?.privilege !== "cpl0") return undefined;
    return mnemonic;
  }

  #cpuid(): void {
    const { registers } = this.#domain;
    const leaf = registers.low(RAX);
    const subleaf = registers.low(RCX);
    const { eax, ebx, ecx, edx } = xenIdentity(this.#identity, leaf, subleaf);
    // RAX, RBX, RCX, RDX by their encoding.
    for (const [register, value] of [
      [0, eax],
      [3, ebx],
      [1, ecx],
      [2, edx],
    ] as const) {
      registers.set(register, value, 0);
    }
  }

  #load(state: ProcessorState): void {
    const { processor, vcpu, physical } = this.#domain;
    const real = processor.state;
    state.loadContext(real.saveContext());
    for (const name of ["cs", "ss", "ds", "es"] as const)
      state.setSegment(name, real.segment(name));
    for (const slot of debugSlots) state.set(slot, real.get(slot));
    state.set(slots.cr0, real.cr0);
    state.set(slots.cr3, real.cr3);
    state.set(slots.cr4, GUEST_CR4);
    state.cr2 = physical.readU64(vcpu.info + 16);
    state.setPrivilegeLevel(0);
    state.setControl("efer", real.efer);
  }

  #store(state: ProcessorState, real: ProcessorState): void {
    const fs = real.fsBase;
    const gs = real.gsBase;
    real.loadContext(state.saveContext());
    // Segment bases went through the registers' own interface.
    real.fsBase = fs;
    real.gsBase = gs;
  }

  #controls(state: ProcessorState): Controls {
    return {
      cr0: state.cr0,
      cr2: state.cr2,
      cr3: state.cr3,
      cr4: state.cr4,
      debug: debugSlots.map((slot) => state.get(slot)),
    };
  }

  /** Takes over what the instruction did to control and debug registers. False when the guest may not have that. */
  #applyControls(before: Controls, state: ProcessorState): boolean {
    const domain = this.#domain;
    const real = domain.processor.state;
    if (((before.cr0 ^ state.cr0) & ~CR0.TS) !== 0n) return false;
    // Xen lets a guest write only what it reads.
    if (state.cr4 !== before.cr4) return false;
    for (const [index, slot] of debugSlots.entries()) {
      const value = state.get(slot);
      if (value === before.debug[index]) continue;
      const register = index < 4 ? index : index + 2;
      const low = Number(value & 0xffff_ffffn);
      if (writeDebugRegister(domain, register, low, Number(value >> 32n)) !== 0) return false;
    }
    if (state.cr3 !== before.cr3) {
      const frame = Number(state.cr3 >> 12n);
      if (newBase(domain, frame) !== 0) return false;
    }
    if (state.cr2 !== before.cr2) domain.physical.writeU64(domain.vcpu.info + 16, state.cr2);
    real.set(slots.cr0, state.cr0);
    return true;
  }

  /** What the guest reads; undefined for registers that the processor itself has the right answer for. */
  #readMsr(index: number): bigint | undefined {
    const { state } = this.#domain.processor;
    switch (index) {
      case MSR.FS_BASE:
        return state.fsBase;
      case MSR.GS_BASE:
        return state.gsBase;
      case MSR.KERNEL_GS_BASE:
        return state.get(slots.kernelGsBase);
      case MSR.EFER:
        return state.efer;
      case MSR.PAT:
        return state.get(slots.pat);
      default:
        // Guests probe many registers before they can take a fault.
        return 0n;
    }
  }

  #writeMsr(index: number, value: bigint): boolean {
    const { state } = this.#domain.processor;
    const isCanonical = BigInt.asUintN(64, BigInt.asIntN(48, value)) === value;
    switch (index) {
      case MSR.FS_BASE:
        if (isCanonical) state.fsBase = value;
        return isCanonical;
      case MSR.GS_BASE:
        if (isCanonical) state.gsBase = value;
        return isCanonical;
      case MSR.KERNEL_GS_BASE:
        if (isCanonical) state.set(slots.kernelGsBase, value);
        return isCanonical;
      default:
        // Xen's own: the write is dropped.
        return true;
    }
  }
}

interface Controls {
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  /** DR0 to DR3, DR6, DR7. */
  readonly debug: readonly bigint[];
}

const debugSlots = [slots.dr0, slots.dr1, slots.dr2, slots.dr3, slots.dr6, slots.dr7] as const;
