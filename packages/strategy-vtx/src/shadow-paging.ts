/**
 * Translation by shadow page tables, for processors without EPT: the processor walks the hypervisor's tables, and every
 * page fault, CR3 access and INVLPG of the guest exits.
 */
import type { GuestStep, ShadowMmu } from "@ringside/hypervisor";
import { CR0, defaultProfile, VECTOR, type ProcessorState } from "@ringside/isa";
import { EXIT, interruption, INTERRUPTION_TYPE, PRIMARY } from "@ringside/isa-vmx";
import { blockNmis, nmiUnblocked, noRamForDelivery } from "./ept-paging.ts";
import { changeControls, emulate, isVectoring, type ExitContext } from "./exit-handlers.ts";
import type { Paging, PagingControls } from "./paging.ts";
import { cr0Restricted } from "./vmcs-setup.ts";
import type { Vmcs } from "./vmcs.ts";

const resume: GuestStep = { kind: "resume" };
const pageFaultBit = 2 ** VECTOR.PF;
/** Exit qualification for control-register accesses, SDM Vol. 3C §28.2.1, "Basic VM-Exit Information". */
const registerMask = 0xf;
const accessType = 0x30;
const movFrom = 0x10;
const rsp = 4;
/** Type of a vectored event: a hardware exception. */

export class ShadowPaging implements Paging {
  readonly kind = "shadow";
  readonly controls: PagingControls = {
    primary: PRIMARY.CR3_LOAD_EXITING | PRIMARY.CR3_STORE_EXITING | PRIMARY.INVLPG_EXITING,
    secondary: 0,
    // Shadows are for guests in IA-32e mode. One without write protection gets it from them.
    cr0Held: cr0Restricted | CR0.WP,
    exceptionBitmap: pageFaultBit,
  };
  readonly #vmcs: Vmcs;
  readonly #mmu: ShadowMmu;
  #cr3 = 0n;
  /** What the VMCS has as CR3. */
  #root = 0;

  constructor(vmcs: Vmcs, mmu: ShadowMmu) {
    this.#vmcs = vmcs;
    this.#mmu = mmu;
  }

  start(): void {
    this.#vmcs.write("PAGE_FAULT_ERROR_CODE_MASK", 0);
    this.#vmcs.write("PAGE_FAULT_ERROR_CODE_MATCH", 0);
  }

  readCr3(): bigint {
    return this.#cr3;
  }

  writeCr3(cr3: bigint): void {
    this.#cr3 = cr3;
    this.#loadRoot();
  }

  handle(context: ExitContext, reason: number, vectoring: number): GuestStep | undefined {
    switch (reason) {
      case EXIT.EXCEPTION_OR_NMI:
        return this.#handlePageFault(context, vectoring);
      case EXIT.CONTROL_REGISTER_ACCESS:
        return this.#handleControlRegister(context);
      case EXIT.INVLPG:
        // Shadows follow the guest's tables at each write, and the TLB is empty after an exit.
        context.cpu.skipInstruction();
        return resume;
      default:
        return undefined;
    }
  }

  #handlePageFault(context: ExitContext, vectoring: number): GuestStep | undefined {
    const { vmcs, events, cpu } = context;
    const information = vmcs.readNumber("EXIT_INTERRUPTION_INFORMATION");
    if ((information & 0xff) !== VECTOR.PF) return undefined;
    const linear = vmcs.read("EXIT_QUALIFICATION");
    const errorCode = vmcs.readNumber("EXIT_INTERRUPTION_ERROR_CODE");
    const access = {
      write: (errorCode & 2) !== 0,
      user: (errorCode & 4) !== 0,
      execute: (errorCode & 16) !== 0,
    };
    const fault = this.#mmu.fault(cpu.translationControls(), linear, access);
    const delivering = isVectoring(vectoring);
    // The guest tries its IRET again, and does not know of this fault.
    if (!delivering && fault.kind !== "true" && (information & nmiUnblocked) !== 0) blockNmis(vmcs);
    switch (fault.kind) {
      case "hidden":
        this.#loadRoot();
        if (delivering) events.redeliver(vectoring);
        return resume;
      case "true":
        return raise(context, vectoring, { ...fault, linear });
      case "traced":
      case "device": {
        if (delivering) return this.#deliverInSoftware(vectoring, fault);
        const handled = emulate(context);
        this.#loadRoot();
        return handled;
      }
    }
  }

  /** A stack of the guest's in a page table of its own, or in device memory. */
  #deliverInSoftware(
    vectoring: number,
    fault: { readonly kind: "traced" | "device"; readonly gpa: number },
  ): GuestStep {
    if (fault.kind === "device") return noRamForDelivery(vectoring, fault.gpa);
    return {
      kind: "crashed",
      why: `The guest's stack for vector ${vectoring & 0xff} is in a page table of its own, at guest-physical 0x${fault.gpa.toString(16)}.`,
    };
  }

  #handleControlRegister(context: ExitContext): GuestStep {
    const { vmcs, physical, cpu } = context;
    const qualification = vmcs.readNumber("EXIT_QUALIFICATION");
    if ((qualification & registerMask) !== 3) {
      const handled = changeControls(context);
      // What a shadow may be depends on CR0 and CR4.
      this.#mmu.clear();
      this.#loadRoot();
      return handled;
    }
    const register = (qualification >> 8) & 0xf;
    if ((qualification & accessType) === movFrom) {
      if (register === rsp) vmcs.write("GUEST_RSP", this.#cr3);
      else physical.setRegister(register, this.#cr3);
      cpu.skipInstruction();
      return resume;
    }
    const value = this.#register(physical, register);
    // Reserved bits: the emulated instruction raises #GP.
    if (value >> BigInt(defaultProfile.physicalAddressBits) !== 0n) return emulate(context);
    this.writeCr3(value);
    cpu.skipInstruction();
    return resume;
  }

  #register(physical: ProcessorState, register: number): bigint {
    return register === rsp ? this.#vmcs.read("GUEST_RSP") : physical.register(register);
  }

  #loadRoot(): void {
    const root = this.#mmu.root(this.#cr3);
    if (root === this.#root) return;
    this.#root = root;
    this.#vmcs.write("GUEST_CR3", root);
  }
}

/** A page fault of the guest's own; while one is being delivered it escalates. SDM Vol. 3A §6.15, "Interrupt 8—Double Fault Exception (#DF)". */
function raise(
  { events }: ExitContext,
  vectoring: number,
  fault: {
    readonly vector: number;
    readonly errorCode: number | undefined;
    readonly linear: bigint;
  },
): GuestStep {
  const { isValid, type, vector } = interruption(vectoring);
  const isException = isValid && type === INTERRUPTION_TYPE.HARDWARE_EXCEPTION;
  const first = isException ? vector : undefined;
  if (first === VECTOR.DF) return { kind: "crashed", why: "Triple fault." };
  if (first === VECTOR.PF) events.raise({ vector: VECTOR.DF, errorCode: 0, linear: fault.linear });
  else events.raise(fault);
  return resume;
}
