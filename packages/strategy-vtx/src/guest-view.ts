/**
 * The guest's registers for people who look at it: in the processor while it is in the guest, else in the VMCS.
 *
 * Looking is not the hypervisor's work, and is counted by nobody.
 */
import type { ProcessorState } from "@ringside/isa";
import type { VmxControl } from "@ringside/isa-vmx";
import { shownRegisters, type Registers, type TranslationControls } from "@ringside/strategy";
import type { Paging } from "./paging.ts";
import type { VtxCpu } from "./vtx-cpu.ts";

export class GuestView {
  readonly #control: VmxControl;
  readonly #state: ProcessorState;
  readonly #cpu: VtxCpu;
  readonly #paging: Paging;

  constructor(control: VmxControl, state: ProcessorState, cpu: VtxCpu, paging: Paging) {
    this.#control = control;
    this.#state = state;
    this.#cpu = cpu;
    this.#paging = paging;
  }

  get #isInGuest(): boolean {
    return this.#control.operation === "non-root";
  }

  /** What the guest would read; costs the hypervisor nothing. */
  controls(): TranslationControls {
    const state = this.#state;
    const live = this.#isInGuest;
    const real = (register: "CR0" | "CR4", now: bigint): bigint =>
      live ? now : this.#control.vmread(`GUEST_${register}`);
    return {
      cr0: this.#cpu.guestView("CR0", real("CR0", state.cr0)),
      cr3: this.#cr3(live),
      cr4: this.#cpu.guestView("CR4", real("CR4", state.cr4)),
      efer: live ? state.efer : this.#control.vmread("GUEST_IA32_EFER"),
    };
  }

  #cr3(live: boolean): bigint {
    if (this.#paging.kind === "shadow") return this.#paging.readCr3();
    return live ? this.#state.cr3 : this.#control.vmread("GUEST_CR3");
  }

  registers(): Registers {
    const state = this.#state;
    const live = { ...shownRegisters(state), ...this.controls() };
    if (this.#isInGuest) return live;
    return {
      ...live,
      rip: this.#control.vmread("GUEST_RIP"),
      rsp: this.#control.vmread("GUEST_RSP"),
      rflags: this.#control.vmread("GUEST_RFLAGS"),
      cs: this.#control.vmread("GUEST_CS_SELECTOR"),
      ss: this.#control.vmread("GUEST_SS_SELECTOR"),
      fs_base: this.#control.vmread("GUEST_FS_BASE"),
      gs_base: this.#control.vmread("GUEST_GS_BASE"),
      cpl: (this.#control.vmread("GUEST_SS_ACCESS_RIGHTS") >> 5n) & 3n,
    };
  }
}
