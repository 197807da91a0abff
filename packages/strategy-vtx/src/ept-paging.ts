/** Translation by extended page tables: the guest's own tables are the processor's, and exits only put frames behind them. */
import type { GuestMemory, GuestStep } from "@ringside/hypervisor";
import { EXIT, SECONDARY } from "@ringside/isa-vmx";
import type { EptTables } from "./ept-tables.ts";
import { emulate, isVectoring, type ExitContext } from "./exit-handlers.ts";
import type { Paging, PagingControls } from "./paging.ts";
import type { Vmcs } from "./vmcs.ts";

/** The guest's TLB entries carry this; the hypervisor's own carry 0. */
const vpid = 1;
/** Of an EPT violation and of an exception that exits: IRET had unblocked NMIs before its access failed. */
export const nmiUnblocked = 0x1000;
const blockedByNmi = 8;

export class EptPaging implements Paging {
  readonly kind = "ept";
  readonly controls: PagingControls = {
    primary: 0,
    secondary: SECONDARY.ENABLE_EPT | SECONDARY.ENABLE_VPID | SECONDARY.UNRESTRICTED_GUEST,
    cr0Held: 0n,
    // The guest's exceptions are its own.
    exceptionBitmap: 0,
  };
  readonly #vmcs: Vmcs;
  readonly #memory: GuestMemory;
  readonly #tables: EptTables;

  constructor(vmcs: Vmcs, memory: GuestMemory, tables: EptTables) {
    this.#vmcs = vmcs;
    this.#memory = memory;
    this.#tables = tables;
  }

  start(): void {
    this.#vmcs.write("EPT_POINTER", this.#tables.pointer);
    this.#vmcs.write("VIRTUAL_PROCESSOR_ID", vpid);
  }

  readCr3(): bigint {
    return this.#vmcs.read("GUEST_CR3");
  }

  writeCr3(cr3: bigint): void {
    this.#vmcs.write("GUEST_CR3", cr3);
  }

  handle(context: ExitContext, reason: number, vectoring: number): GuestStep | undefined {
    if (reason !== EXIT.EPT_VIOLATION) return undefined;
    const { vmcs, events } = context;
    const gpa = vmcs.readNumber("GUEST_PHYSICAL_ADDRESS");
    const delivering = isVectoring(vectoring);
    if (!delivering && (vmcs.readNumber("EXIT_QUALIFICATION") & nmiUnblocked) !== 0) {
      blockNmis(vmcs);
    }
    if (this.#memory.isRam(gpa)) {
      this.#tables.mapAround(gpa, (at) =>
        this.#memory.isRam(at) ? this.#memory.hostFrame(at) : undefined,
      );
      // The guest's event comes again, now that RAM is where its delivery failed.
      if (delivering) events.redeliver(vectoring);
      return { kind: "resume" };
    }
    return delivering ? noRamForDelivery(vectoring, gpa) : emulate(context);
  }
}

/** NMIs are blocked again, as they were before an IRET that comes again. */
export function blockNmis(vmcs: Vmcs): void {
  const blocked = vmcs.readNumber("GUEST_INTERRUPTIBILITY_STATE");
  vmcs.write("GUEST_INTERRUPTIBILITY_STATE", blocked | blockedByNmi);
}

/** On device memory a delivery never succeeds. */
export function noRamForDelivery(vectoring: number, gpa: number): GuestStep {
  return {
    kind: "crashed",
    why: `The guest's tables or stacks for vector ${vectoring & 0xff} are at guest-physical 0x${gpa.toString(16)}, where there is no RAM.`,
  };
}
