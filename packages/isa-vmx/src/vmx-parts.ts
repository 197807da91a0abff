/** What VM entry, VM exit and the hooks of one processor share. */
import type { ExtensionContext } from "@ringside/isa";
import { fields } from "./fields.ts";
import type { VmxCapabilities } from "./capabilities.ts";
import type { StateWords } from "./field-transfer.ts";
import type { GuestTime } from "./guest-time.ts";
import { loadMsrs } from "./msr-areas.ts";
import type { Vmcs } from "./vmcs.ts";
import type { VmxOperation } from "./vmx-operation.ts";

const { VM_EXIT_MSR_LOAD_ADDRESS, VM_EXIT_MSR_LOAD_COUNT } = fields;

/** Who has root operation: software on the processor, or the caller of `Processor.run`. */
export type RootMode = "architectural" | "monitor";

export interface VmxParts {
  readonly context: ExtensionContext;
  readonly capabilities: VmxCapabilities;
  readonly rootMode: RootMode;
  readonly operation: VmxOperation;
  readonly words: StateWords;
  readonly time: GuestTime;
  readonly exitCounts: ExitCounts;
}

/** VM exits so far, by basic reason. */
export class ExitCounts {
  readonly #counts: number[] = [];

  add(reason: number): void {
    this.#counts[reason] = (this.#counts[reason] ?? 0) + 1;
  }

  /** @param nameOf Names a reason. Reasons that did not occur are left out. */
  named(nameOf: (reason: number) => string): Readonly<Record<string, number>> {
    const named: Record<string, number> = {};
    for (const [reason, count] of this.#counts.entries())
      if (count !== undefined) named[nameOf(reason)] = count;
    return named;
  }
}

/** The VMX-abort of a VM exit: the processor shuts down. Intel SDM Vol. 3C §28.7, "VMX Aborts". */
export interface VmxAbort {
  /** The indicator in the VMCS region. */
  readonly abort: number;
}

const ABORT_HOST_MSR = 4;

/** Loads the VM-exit MSR-load area, behind the host state. Intel SDM Vol. 3C §28.6, "Loading MSRs". */
export function loadHostMsrs({ context, operation }: VmxParts, vmcs: Vmcs): VmxAbort | undefined {
  const count = vmcs.low(VM_EXIT_MSR_LOAD_COUNT);
  if (count === 0) return undefined;
  const area = Number(vmcs.read(VM_EXIT_MSR_LOAD_ADDRESS));
  const position = loadMsrs(context, operation.memory, area, count);
  context.updateMode();
  if (position === undefined) return undefined;
  vmcs.setAbort(ABORT_HOST_MSR);
  return { abort: ABORT_HOST_MSR };
}
