/**
 * Access to the current VMCS, with every VMREAD and VMWRITE counted as the hypervisor's work.
 */
import type { MonitorWork } from "@ringside/hypervisor";
import type { FieldKey, VmxControl } from "@ringside/isa-vmx";

export class Vmcs {
  readonly #control: VmxControl;
  readonly #work: MonitorWork;

  constructor(control: VmxControl, work: MonitorWork) {
    this.#control = control;
    this.#work = work;
  }

  read(field: FieldKey): bigint {
    this.#work.add("vmreads");
    return this.#control.vmread(field);
  }

  /** A field of at most 32 bits, or one whose value is an address below 2^53. */
  readNumber(field: FieldKey): number {
    return Number(this.read(field));
  }

  write(field: FieldKey, value: bigint | number): void {
    this.#work.add("vmwrites");
    this.#control.vmwrite(field, value);
  }
}
