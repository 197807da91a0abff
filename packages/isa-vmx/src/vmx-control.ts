/**
 * What a hypervisor written in TypeScript sees of VMX: the same instructions as calls, on real VMCSs.
 *
 * A hypervisor that owns root mode (`rootMode: "monitor"`) uses it to launch and resume guests; `Processor.run` then
 * returns `{ reason: "extension", id: "vmx", value }` with a {@link VmExit} for each VM exit. The guest's registers that
 * no VMCS holds (RAX to R15 without RSP, CR2, DR0 to DR3, DR6, x87 and SSE) are in the processor's state, as on hardware.
 */
import type { FieldKey } from "./fields.ts";

/** One check of VM entry that did not hold, in a form that can be printed. */
export interface EntryFailure {
  /** Which stage found it. `controls` gives VMfailValid 7, `host-state` VMfailValid 8, the others a failed VM entry. */
  readonly stage: "controls" | "host-state" | "guest-state" | "msr-loading";
  /** Kebab-case and unique: `guest-cr0-fixed-bits`. */
  readonly check: string;
  /** The field that is wrong; undefined for entries of an MSR-load area. */
  readonly field: FieldKey | undefined;
  readonly value: bigint;
  /** What the field must be, in words. */
  readonly expected: string;
  /** `Intel SDM Vol. 3C §27.3.1.1, "Checks on Guest Control Registers, Debug Registers, and MSRs"`. */
  readonly reference: string;
  /** All of it as one sentence. */
  readonly message: string;
}

/** A VM exit, as `Processor.run` returns it. Everything else about it is in the VMCS. */
export interface VmExit {
  /** Basic exit reason, bits 15:0 of the field; a value of EXIT. */
  readonly reason: number;
  /** Set when the VM entry failed: bit 31 of the exit reason. */
  readonly entryFailure: EntryFailure | undefined;
}

/** How VMLAUNCH or VMRESUME ended. */
export type EntryResult =
  /** In the guest: `Processor.run` now runs it. */
  | { readonly kind: "entered" }
  /** VMfailInvalid or VMfailValid: still in root operation, nothing changed. `error` 0: no current VMCS. */
  | { readonly kind: "failed"; readonly error: number; readonly failure: EntryFailure | undefined }
  /** The entry failed after the host-state checks: a VM exit with reason 33 or 34, bit 31 set. */
  | { readonly kind: "exited"; readonly exit: VmExit };

/** Facts of the run so far, for one processor. */
export interface VmxCounts {
  readonly entries: number;
  readonly failedEntries: number;
  /** By name (`cpuid`, `ept-violation`); failed entries included. */
  readonly exits: Readonly<Record<string, number>>;
  readonly vmreads: number;
  readonly vmwrites: number;
}

/** A VMX instruction executed through {@link VmxControl} failed. */
export class VmxError extends Error {
  /** VM-instruction error number; 0 for VMfailInvalid. Intel SDM Vol. 3C §31.4, "VM Instruction Error Numbers". */
  readonly number: number;

  constructor(number: number, message: string) {
    super(`[ringside/vmx] ${message}`);
    this.name = "VmxError";
    this.number = number;
  }
}

/** VMX of one processor. Addresses are physical, as numbers; fields are keys of FIELD. */
export interface VmxControl {
  readonly operation: "none" | "root" | "non-root";
  /** Physical address of the current VMCS. */
  readonly currentVmcs: number | undefined;
  /** Why the last VM entry failed; undefined after one that did not. */
  readonly lastEntryFailure: EntryFailure | undefined;
  /** Machine time at which the VMX-preemption timer expires; hosts that skip idle time stop there. */
  readonly deadline: number | undefined;

  /**
   * Enters root operation: VMXON, with IA32_FEATURE_CONTROL enabled and locked and caches on (CR0.CD and CR0.NW clear)
   * first. The other checks of the instruction are those of the code that executes it, which there is none of.
   *
   * @param region 4 KiB-aligned; its first word must be the revision identifier ({@link revision}).
   * @throws {VmxError} The region is not usable, or VMX operation has begun.
   */
  vmxon(region: number): void;
  vmxoff(): void;
  /** The VMCS revision identifier, IA32_VMX_BASIC bits 30:0. */
  readonly revision: number;
  /** @throws {VmxError} */
  vmclear(region: number): void;
  /** @throws {VmxError} */
  vmptrld(region: number): void;
  /** @throws {VmxError} There is no current VMCS. Counted. */
  vmread(field: FieldKey): bigint;
  /** The same as a number, exact below 2^53. @throws {VmxError} There is no current VMCS. Counted. */
  vmreadNumber(field: FieldKey): number;
  /** @throws {VmxError} There is no current VMCS, or the field is read-only. Truncates to the field's width. Counted. */
  vmwrite(field: FieldKey, value: bigint | number): void;
  /** VMLAUNCH. */
  launch(): EntryResult;
  /** VMRESUME. */
  resume(): EntryResult;
  /** @throws {VmxError} */
  invept(type: "single-context" | "all-context", eptPointer?: bigint): void;
  /** @throws {VmxError} */
  invvpid(
    type:
      | "individual-address"
      | "single-context"
      | "all-context"
      | "single-context-retaining-globals",
    vpid?: number,
    linear?: bigint,
  ): void;
  counts(): VmxCounts;
}
