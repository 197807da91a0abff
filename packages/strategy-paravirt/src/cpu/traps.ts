/**
 * What Xen does when the guest traps: hypercalls, the guest's own exceptions, and those that are done for it.
 *
 * Xen, xen/arch/x86/traps.c.
 */
import { CR0, slots, VECTOR, type MonitorEvent } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import type { Domain } from "../domain.ts";
import { Hypercalls, hypercallName } from "../hypercalls/hypercalls.ts";
import { PER_DOMAIN_HIGH, DESCRIPTOR_PAGES } from "../memory/xen-area.ts";
import { frameOf, PRESENT } from "../paging/entry.ts";
import { WritableTables } from "../paging/writable-tables.ts";
import { PrivilegedOperations } from "./privileged-operations.ts";
import { RAX } from "./registers.ts";

/** Bits of a page fault's error code. SDM Vol. 3A §4.7, "Page-Fault Exceptions". */
const FAULT_PRESENT = 1;
const FAULT_WRITE = 2;
const FAULT_USER = 4;
const FAULT_RESERVED = 8;
const FAULT_FETCH = 16;
/** Offset of the LDT's pages in the range of descriptors, and the range's end. */
const LDT_OFFSET: number = DESCRIPTOR_PAGES * frameBytes;
/** Length of INT n in bytes. */
const intBytes = 2;
/** Selector error codes: the index is of the IDT. */
const IN_IDT = 2;

export class Traps {
  readonly #domain: Domain;
  readonly #hypercalls: Hypercalls;
  readonly #privileged: PrivilegedOperations;
  readonly #writableTables: WritableTables;

  constructor(domain: Domain) {
    this.#domain = domain;
    this.#hypercalls = new Hypercalls(domain);
    this.#privileged = new PrivilegedOperations(domain);
    this.#writableTables = new WritableTables(domain);
  }

  /** What the event is, for people. */
  describe(event: MonitorEvent): string {
    const { vcpu, registers } = this.#domain;
    switch (event.kind) {
      case "syscall":
        return vcpu.inKernel ? `hypercall ${hypercallName(registers.low(RAX))}` : "system call";
      case "exception":
        return `exception ${event.vector}`;
      case "software-interrupt":
        return `int ${event.vector}`;
      default:
        return event.kind;
    }
  }

  handle(event: Exclude<MonitorEvent, { kind: "interrupt" | "nmi" }>): void {
    const { vcpu } = this.#domain;
    vcpu.returnsFast = false;
    switch (event.kind) {
      case "syscall":
        if (vcpu.inKernel) this.#hypercalls.enter();
        else vcpu.enterSyscall();
        break;
      case "exception":
        this.#exception(event.vector, event.errorCode, event.linear);
        break;
      case "software-interrupt":
        this.#softwareInterrupt(event.vector);
        break;
      case "sysenter":
        vcpu.inject(VECTOR.GP, 0);
        break;
      case "call-gate":
        vcpu.inject(VECTOR.GP, event.selector & ~3);
        break;
    }
  }

  #exception(vector: number, errorCode: number | undefined, linear: bigint): void {
    const { vcpu, processor } = this.#domain;
    switch (vector) {
      case VECTOR.PF:
        this.#pageFault(errorCode ?? 0, linear);
        return;
      case VECTOR.GP:
        if (errorCode === 0 && this.#privileged.emulate() === "done") return;
        break;
      case VECTOR.UD:
        if (this.#privileged.forcedCpuid() === "done") return;
        break;
      case VECTOR.NM:
        // The guest's handler finds TS clear, as Xen's interface promises.
        processor.state.set(slots.cr0, processor.state.cr0 & ~CR0.TS);
        break;
      default: // All others are the guest's own.
    }
    vcpu.inject(vector, errorCode);
  }

  #pageFault(errorCode: number, linear: bigint): void {
    const { vcpu, state } = this.#domain;
    const low = Number(linear & 0xffff_ffffn);
    const high = Number(linear >> 32n);
    if (high === PER_DOMAIN_HIGH && low < 2 * LDT_OFFSET && (errorCode & FAULT_USER) === 0) {
      if (low >= LDT_OFFSET) this.#ldtFault(errorCode, low - LDT_OFFSET);
      // The GDT has no page there: for the guest the selector is at fault, not a page of Xen's.
      else vcpu.inject(VECTOR.GP, low & ~7);
      return;
    }
    const isStore =
      (errorCode & (FAULT_WRITE | FAULT_PRESENT)) === (FAULT_WRITE | FAULT_PRESENT) &&
      (errorCode & (FAULT_RESERVED | FAULT_FETCH)) === 0;
    if (isStore && vcpu.inKernel && state.assistsWritableTables) {
      if (this.#writableTables.emulate(low, high)) return;
    }
    vcpu.injectPageFault(errorCode, linear);
  }

  /** The processor looked for a descriptor of the LDT in a page that was not mapped yet. */
  #ldtFault(errorCode: number, offset: number): void {
    const { descriptors, access, types, vcpu } = this.#domain;
    const { linear, entries } = descriptors.ldt;
    const there = BigInt.asUintN(64, linear + BigInt(offset));
    if (offset < entries * 8) {
      const at = access.leafEntry(Number(there & 0xffff_ffffn), Number(there >> 32n));
      const low = at < 0 ? 0 : types.readLow(at);
      if ((low & PRESENT) !== 0) {
        const frame = frameOf(low, types.readHigh(at));
        if (descriptors.mapLdtPage(Math.floor(offset / frameBytes), frame)) return;
      }
    }
    vcpu.injectPageFault(errorCode, there);
  }

  #softwareInterrupt(vector: number): void {
    const { vcpu, registers } = this.#domain;
    // The gates of INT3 and INTO are open to everybody.
    if (vector === VECTOR.BP || vector === VECTOR.OF || vcpu.permitsSoftwareInterrupt(vector)) {
      vcpu.inject(vector, undefined);
      return;
    }
    registers.rewind(intBytes);
    vcpu.inject(VECTOR.GP, vector * 8 + IN_IDT);
  }
}
