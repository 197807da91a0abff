/**
 * A bench for privileged behaviour: a processor in long mode with a GDT, an IDT, a TSS and page tables, all in guest
 * memory, and handlers that stop where an event arrived.
 *
 * Tests assemble a few instructions, run them, and look at the outcome: where the code halted, or which vector arrived
 * with which frame.
 */
import { assemble } from "../assembler/assemble.ts";
import { setsErrorCode } from "../exceptions/vectors.ts";
import type { ProcessorExtension } from "../extension.ts";
import { HostMemory } from "../memory/host-memory.ts";
import { Processor } from "../processor.ts";
import type { InterruptSource, PortIo, ProcessorExit } from "../processor-options.ts";
import type { ProcessorProfile } from "../profile/profile.ts";
import { slots } from "../state/layout.ts";
import type { Segment } from "../state/processor-state.ts";

/** Physical (and, at first, linear) addresses of what the bench puts into memory. */
export const ADDRESS = {
  pml4: 0x1000,
  pdpt: 0x2000,
  directory: 0x3000,
  /** Maps the 2 MiB at {@link ADDRESS.pages} by 4-KByte pages. */
  pageTable: 0x4000,
  gdt: 0x8000,
  idt: 0x9000,
  tss: 0xa000,
  ldt: 0xc000,
  code: 0x1_0000,
  handlers: 0x2_0000,
  /** Handlers that tests write themselves, 1 KiB each. */
  ownHandlers: 0x3_0000,
  userStack: 0x6_8000,
  kernelStack: 0x7_0000,
  ist1: 0x7_8000,
  data: 0x8_0000,
  pages: 0x40_0000,
} as const;

/** Selectors of the bench's GDT. SYSCALL and SYSRET find theirs through STAR; SYSENTER through `code`. */
export const SELECTOR = {
  code: 0x08,
  data: 0x10,
  code32: 0x18,
  userCode32: 0x20,
  userData: 0x28,
  userCode: 0x30,
  /** 16 bytes: an available 64-bit TSS. */
  tss: 0x38,
  conforming: 0x48,
  /** 16 bytes: a call gate of DPL 3 to `handler(callGate)` in `code`. */
  callGate: 0x50,
  absentData: 0x60,
  executeOnly: 0x68,
  /** 16 bytes: an LDT. */
  ldt: 0x70,
  readOnlyData: 0x80,
  /** 64-bit code of DPL 1, and data of DPL 1. */
  code1: 0x88,
  data1: 0x90,
} as const;

/** Number of {@link KernelBench.handler} that the call gate leads to. */
export const CALL_GATE_HANDLER = 15;

const GDT: readonly (readonly [number, bigint])[] = [
  [SELECTOR.code, 0x00af_9a00_0000_ffffn],
  [SELECTOR.data, 0x00cf_9200_0000_ffffn],
  [SELECTOR.code32, 0x00cf_9a00_0000_ffffn],
  [SELECTOR.userCode32, 0x00cf_fa00_0000_ffffn],
  [SELECTOR.userData, 0x00cf_f200_0000_ffffn],
  [SELECTOR.userCode, 0x00af_fa00_0000_ffffn],
  [SELECTOR.conforming, 0x00af_9e00_0000_ffffn],
  [SELECTOR.absentData, 0x00cf_1200_0000_ffffn],
  [SELECTOR.executeOnly, 0x00af_9800_0000_ffffn],
  [SELECTOR.readOnlyData, 0x00cf_9000_0000_ffffn],
  [SELECTOR.code1, 0x00af_ba00_0000_ffffn],
  [SELECTOR.data1, 0x00cf_b200_0000_ffffn],
];
export const GDT_LIMIT = 0xff;
const TSS_LIMIT = 0x67;

/** Flags of page-table entries, as numbers. */
export const PTE = {
  P: 1n,
  W: 2n,
  U: 4n,
  A: 0x20n,
  D: 0x40n,
  PS: 0x80n,
  G: 0x100n,
  XD: 0x8000_0000_0000_0000n,
} as const;

/** An interrupt stack frame. */
export interface Frame {
  readonly errorCode: number | undefined;
  readonly rip: bigint;
  readonly cs: number;
  readonly rflags: bigint;
  readonly rsp: bigint;
  readonly ss: number;
  /** RSP of the handler: where the frame begins. */
  readonly at: bigint;
}

/** How a run ended. */
export type Outcome =
  /** HLT outside of the bench's handlers. */
  | { readonly kind: "halted"; readonly rip: bigint }
  | { readonly kind: "event"; readonly vector: number; readonly frame: Frame }
  | { readonly kind: "exit"; readonly exit: ProcessorExit };

/** The event that a run ended with. @throws {Error} It ended otherwise. */
export function arrived(outcome: Outcome): Extract<Outcome, { kind: "event" }> {
  if (outcome.kind === "event") return outcome;
  throw new Error(`Expected an event, and the run ended with ${describeOutcome(outcome)}.`);
}

/** Checks that a run ended with HLT in the test's own code. @throws {Error} It ended otherwise. */
export function halted(outcome: Outcome): void {
  if (outcome.kind !== "halted") {
    throw new Error(`Expected HLT, and the run ended with ${describeOutcome(outcome)}.`);
  }
}

function describeOutcome(outcome: Outcome): string {
  return JSON.stringify(outcome, (_, value: unknown) =>
    typeof value === "bigint" ? `0x${value.toString(16)}` : value,
  );
}

export interface BenchOptions {
  readonly profile?: ProcessorProfile;
  readonly ports?: PortIo;
  readonly interrupts?: Partial<InterruptSource>;
  readonly extensions?: readonly ProcessorExtension[];
}

export interface RunOptions {
  readonly cpl?: 0 | 1 | 3;
  /** 32: compatibility mode; CPL 0 or 3. */
  readonly mode?: 32 | 64;
  /** RFLAGS to begin with. */
  readonly rflags?: bigint;
  readonly limitUnits?: number;
}

/** A processor and its tables. Each test makes its own. */
export class KernelBench {
  readonly memory: HostMemory = HostMemory.create({
    physicalBytes: 0x80_0000,
    codeCacheBytes: 0x10_0000,
  });
  readonly processor: Processor;
  /** Ports written: port, size in bytes, value. */
  readonly portWrites: (readonly [number, number, number])[] = [];

  constructor(options: BenchOptions = {}) {
    const ports = options.ports ?? {
      read: (port, sizeBytes) => (port * 0x0101_0101) % 2 ** (sizeBytes * 8),
      write: (port, sizeBytes, value) => void this.portWrites.push([port, sizeBytes, value]),
    };
    const interrupts: InterruptSource = {
      acknowledge: () => {
        this.processor.setInterruptRequest(false);
        return 0x40;
      },
      readTaskPriority: () => 0,
      writeTaskPriority: () => undefined,
      ...options.interrupts,
    };
    const { profile, extensions = [] } = options;
    this.processor = new Processor({
      memory: this.memory,
      ports,
      interrupts,
      extensions,
      ...(profile === undefined ? {} : { profile }),
    });
    this.#buildTables();
  }

  get state(): Processor["state"] {
    return this.processor.state;
  }

  #buildTables(): void {
    const { physical } = this.memory;
    const shared = PTE.P | PTE.W | PTE.U;
    physical.writeU64(ADDRESS.pml4, BigInt(ADDRESS.pdpt) | shared);
    physical.writeU64(ADDRESS.pdpt, BigInt(ADDRESS.directory) | shared);
    physical.writeU64(ADDRESS.directory, 0n | shared | PTE.PS);
    physical.writeU64(ADDRESS.directory + 8, 0x20_0000n | shared | PTE.PS);
    physical.writeU64(ADDRESS.directory + 16, BigInt(ADDRESS.pageTable) | shared);
    for (let page = 0; page < 512; page += 1) {
      const at = BigInt(ADDRESS.pages + page * 0x1000);
      physical.writeU64(ADDRESS.pageTable + page * 8, at | shared);
    }

    for (const [selector, descriptor] of GDT) this.setDescriptor(selector, descriptor);
    this.setDescriptor(SELECTOR.tss, systemDescriptor(ADDRESS.tss, TSS_LIMIT, 0x89n));
    this.setDescriptor(SELECTOR.ldt, systemDescriptor(ADDRESS.ldt, 0xff, 0x82n));
    const gateTarget = this.#ownHandlerAt(CALL_GATE_HANDLER);
    this.setDescriptor(
      SELECTOR.callGate,
      BigInt(gateTarget & 0xffff) |
        (BigInt(SELECTOR.code) << 16n) |
        (0xecn << 40n) |
        (BigInt(gateTarget >> 16) << 48n),
    );
    physical.writeU64(ADDRESS.tss + 4, BigInt(ADDRESS.kernelStack));
    physical.writeU64(ADDRESS.tss + 12, BigInt(ADDRESS.kernelStack));
    physical.writeU64(ADDRESS.tss + 36, BigInt(ADDRESS.ist1));
    physical.writeU16(ADDRESS.tss + 0x66, 0xffff);

    for (let vector = 0; vector < 256; vector += 1) {
      physical.writeU8(this.#handlerAt(vector), 0xf4);
      this.setGate(vector, this.#handlerAt(vector), {
        dpl: vector >= 0x80 || vector === 3 || vector === 4 ? 3 : 0,
      });
    }
  }

  #handlerAt(vector: number): number {
    return ADDRESS.handlers + vector * 16;
  }

  #ownHandlerAt(number: number): number {
    return ADDRESS.ownHandlers + number * 0x400;
  }

  /** Writes 8 bytes of the GDT. */
  setDescriptor(selector: number, descriptor: bigint): void {
    this.memory.physical.writeU64(ADDRESS.gdt + (selector & ~7), descriptor);
  }

  /** Writes a gate of the IDT. `type` is bits 47:40 without DPL: 0x8e interrupt gate, 0x8f trap gate. */
  setGate(
    vector: number,
    target: number,
    options: { dpl?: number; type?: number; ist?: number; selector?: number } = {},
  ): void {
    const { dpl = 0, type = 0x8e, ist = 0, selector = SELECTOR.code } = options;
    const low =
      BigInt(target & 0xffff) |
      (BigInt(selector) << 16n) |
      (BigInt(ist) << 32n) |
      (BigInt(type | (dpl << 5)) << 40n) |
      (BigInt(target >>> 16) << 48n);
    this.memory.physical.writeU64(ADDRESS.idt + vector * 16, low);
    this.memory.physical.writeU64(ADDRESS.idt + vector * 16 + 8, 0n);
  }

  /** Points the gate of `vector` at the bench's own stop again, with other attributes. */
  changeGate(
    vector: number,
    options: { dpl?: number; type?: number; ist?: number; selector?: number },
  ): void {
    this.setGate(vector, this.#handlerAt(vector), options);
  }

  /** Assembles a handler of the test's own, number 0 to 15; returns its address. */
  handler(number: number, text: string): number {
    const address = this.#ownHandlerAt(number);
    this.load(address, text);
    return address;
  }

  /** Assembles at an address. */
  load(address: number, text: string, mode: 32 | 64 = 64): void {
    this.memory.physical.write(address, assemble(text, { mode, address: BigInt(address) }).bytes);
  }

  /** Replaces the page-table entry of a page from {@link ADDRESS.pages} up, and empties the TLB. */
  setPage(linear: number, flags: bigint, physical: number = linear): void {
    const index = (linear - ADDRESS.pages) >> 12;
    this.memory.physical.writeU64(ADDRESS.pageTable + index * 8, BigInt(physical) | flags);
    this.processor.flushTlb(true);
  }

  page(linear: number): bigint {
    return this.memory.physical.readU64(ADDRESS.pageTable + ((linear - ADDRESS.pages) >> 12) * 8);
  }

  /** Assembles `text` at {@link ADDRESS.code}, enters it in long mode, and runs it. */
  run(text: string, options: RunOptions = {}): Outcome {
    this.load(ADDRESS.code, text, options.mode);
    this.enter(options);
    return this.go(options.limitUnits);
  }

  /** Puts the processor at the code: long mode, the bench's tables loaded, TR and STAR set. */
  enter(options: RunOptions = {}): void {
    const { cpl = 0 } = options;
    const { state } = this;
    this.processor.reset();
    state.enterLongMode({
      cpl,
      cr3: ADDRESS.pml4,
      rip: BigInt(ADDRESS.code),
      rsp: BigInt(cpl === 0 ? ADDRESS.kernelStack - 0x1000 : ADDRESS.userStack),
    });
    const [code, data] =
      cpl === 0
        ? [SELECTOR.code, SELECTOR.data]
        : cpl === 1
          ? [SELECTOR.code1 | 1, SELECTOR.data1 | 1]
          : [SELECTOR.userCode | 3, SELECTOR.userData | 3];
    const codeSegment = { ...state.segment("cs"), selector: code };
    state.setSegment("cs", options.mode === 32 ? compatibility(cpl) : codeSegment);
    for (const name of ["ss", "ds", "es"] as const) {
      state.setSegment(name, { ...state.segment(name), selector: data });
    }
    const system = {
      base: BigInt(ADDRESS.tss),
      limit: TSS_LIMIT,
      attributes: 0x8b,
      selector: SELECTOR.tss,
    };
    state.setSegment("tr", system);
    state.setSegment("ldtr", { base: 0n, limit: 0, attributes: 0x1_0000, selector: 0 });
    state.set(slots.gdtrBase, BigInt(ADDRESS.gdt));
    state.set(slots.gdtrLimit, BigInt(GDT_LIMIT));
    state.set(slots.idtrBase, BigInt(ADDRESS.idt));
    state.set(slots.idtrLimit, 0xfffn);
    state.set(slots.star, (BigInt(SELECTOR.userCode32) << 48n) | (BigInt(SELECTOR.code) << 32n));
    if (options.rflags !== undefined) state.rflags = options.rflags;
  }

  /** Points GDTR at a copy of the GDT. */
  moveGdt(linear: number): void {
    this.state.set(slots.gdtrBase, BigInt(linear));
  }

  /** Lets the processor go on after HLT, as an event would; returns RIP. */
  wake(): bigint {
    this.state.set(slots.halted, 0n);
    return this.state.rip;
  }

  /** Goes on where the processor is. */
  go(limitUnits = 10_000): Outcome {
    const exit = this.processor.run(limitUnits);
    if (exit.reason !== "halted") return { kind: "exit", exit };
    const rip = this.state.rip - 1n;
    const vector = Math.floor((Number(rip) - ADDRESS.handlers) / 16);
    if (vector < 0 || vector > 255) return { kind: "halted", rip };
    return { kind: "event", vector, frame: this.frame(setsErrorCode(vector)) };
  }

  /** The frame that RSP points to. */
  frame(hasErrorCode: boolean): Frame {
    const { physical } = this.memory;
    const at = Number(this.state.rsp);
    const first = hasErrorCode ? at + 8 : at;
    return {
      errorCode: hasErrorCode ? Number(physical.readU64(at)) : undefined,
      rip: physical.readU64(first),
      cs: Number(physical.readU64(first + 8)),
      rflags: physical.readU64(first + 16),
      rsp: physical.readU64(first + 24),
      ss: Number(physical.readU64(first + 32)),
      at: BigInt(at),
    };
  }
}

/** CS of 32-bit code in IA-32e mode. */
function compatibility(cpl: number): Segment {
  const selector = cpl === 0 ? SELECTOR.code32 : SELECTOR.userCode32 | 3;
  return { selector, base: 0n, limit: 0xffff_ffff, attributes: 0xc09b | (cpl << 5) };
}

/** The lower 8 bytes of a system descriptor; `flags` are bits 47:40. The upper bytes stay zero. */
export function systemDescriptor(base: number, limit: number, flags: bigint): bigint {
  const wide = BigInt(base);
  return (
    BigInt(limit & 0xffff) |
    ((wide & 0xff_ffffn) << 16n) |
    (flags << 40n) |
    (BigInt(limit >> 16) << 48n) |
    ((wide >> 24n) << 56n)
  );
}
