/** What a processor is made of, what it is connected to, and why a run of it ends. */
import type { MonitorEvent } from "./exceptions/monitor.ts";
import type { ProcessorExtension } from "./extension.ts";
import type { DebugHit } from "./interpreter/stop-points.ts";
import type { HostMemory } from "./memory/host-memory.ts";
import type { ProcessorProfile } from "./profile/profile.ts";

/** I/O ports, as the processor drives them. Values are zero-extended; absent ports read as all ones. */
export interface PortIo {
  read(port: number, sizeBytes: 1 | 2 | 4): number;
  write(port: number, sizeBytes: 1 | 2 | 4, value: number): void;
}

/** A range of physical addresses that a device answers. Eight-byte accesses arrive as two of four. */
export interface MmioRegion {
  /** First physical address, below 2^52. */
  readonly base: number;
  readonly sizeBytes: number;
  read(offset: number, sizeBytes: 1 | 2 | 4): number;
  write(offset: number, sizeBytes: 1 | 2 | 4, value: number): void;
}

/** Where external interrupts come from: the interrupt controller in front of the processor. */
export interface InterruptSource {
  /** The processor takes the interrupt; gives its vector. */
  acknowledge(): number;
  /** CR8: bits 7:4 of the task priority, 0 to 15. */
  readTaskPriority(): number;
  writeTaskPriority(priority: number): void;
  /** A model-specific register of the interrupt controller (IA32_APIC_BASE, x2APIC), or undefined when it has none such. */
  readMsr?(index: number): bigint | undefined;
  /** @returns undefined when it has no such register, false when it refuses the value: #GP(0). Some can only be written. */
  writeMsr?(index: number, value: bigint): boolean | undefined;
}

export interface ProcessorOptions {
  readonly memory: HostMemory;
  readonly ports: PortIo;
  readonly mmio?: readonly MmioRegion[];
  readonly interrupts: InterruptSource;
  /** What the processor says it is; the default profile without it. */
  readonly profile?: ProcessorProfile;
  /** What the processor has beside its table; see extension.ts. */
  readonly extensions?: readonly ProcessorExtension[];
  /** Who gets exceptions and interrupts: the guest's IDT, or the caller of `Processor.run`. */
  readonly delivery?: "architectural" | "monitor";
  /** Called when a mark is executed (a NOP that names itself; see instructions/nop.ts). */
  readonly onMark?: (id: number) => void;
  /** Called before an exception or an interrupt is delivered through the guest's IDT; RIP is that of the guest. */
  readonly onDelivery?: (delivery: Delivery) => void;
}

/** What is delivered through the guest's IDT, apart from software interrupts. */
export interface Delivery {
  readonly kind: "exception" | "interrupt" | "nmi";
  readonly vector: number;
  readonly errorCode: number | undefined;
  /** The address of a page fault; else undefined. */
  readonly linear: bigint | undefined;
}

/** Why `Processor.run` came back. */
export type ProcessorExit =
  /** The units are spent, or `Processor.stopAt` asked for it. */
  | { readonly reason: "limit" }
  /** HLT: nothing happens until an interrupt. */
  | { readonly reason: "halted" }
  /** A triple fault. */
  | { readonly reason: "shutdown"; readonly why: string }
  /** `Processor.requestStop` was called, or a debugger's stop was met. */
  | { readonly reason: "stopped"; readonly hit?: DebugHit }
  /** Monitor delivery: what would have entered CPL 0. */
  | { readonly reason: "event"; readonly event: MonitorEvent }
  /** An extension returned from `run`; `value` is its own. */
  | { readonly reason: "extension"; readonly id: string; readonly value: unknown };
