/**
 * The guest's processor while it does not run: most of its registers are in the VMCS, the others live on in the
 * physical processor, as on hardware.
 *
 * Reads and writes as few fields as the work at hand needs, since each costs.
 */
import {
  EFER,
  SEGMENTS,
  segmentSlots,
  slots,
  type ProcessorState,
  type SegmentName,
} from "@ringside/isa";
import type { VirtualCpu } from "@ringside/hypervisor";
import { BLOCKING, type FieldKey, type VmxCapabilities } from "@ringside/isa-vmx";
import type { TranslationControls } from "@ringside/strategy";
import type { Paging } from "./paging.ts";
import { cr0HeldBits, cr4Fixed, entryControls } from "./vmcs-setup.ts";
import type { Vmcs } from "./vmcs.ts";

/** Code segment: 64-bit. */
const longCode = 0x2000;
const userFlags = 3;
/** Blocking by STI and by MOV SS, in the interruptibility state. */
export const shadows: number = BLOCKING.STI | BLOCKING.MOV_SS;

/** What lies in the physical processor's registers and in no VMCS, beside a program's own registers. */
const liveSlots = [
  slots.cr2,
  slots.star,
  slots.lstar,
  slots.cstar,
  slots.sfmask,
  slots.kernelGsBase,
  slots.tscAux,
  slots.dr0,
  slots.dr1,
  slots.dr2,
  slots.dr3,
  slots.dr6,
] as const;

export class VtxCpu implements VirtualCpu {
  readonly #vmcs: Vmcs;
  readonly #physical: ProcessorState;

  readonly #paging: Paging;
  /** Bits of CR0 that the guest does not own. */
  readonly #cr0Held: bigint;
  /** What the read-shadow fields hold; only the hypervisor writes them. */
  readonly #readShadows = { CR0: 0n, CR4: 0n };
  readonly #capabilities: VmxCapabilities;
  /** IA32_EFER as it was loaded last. */
  #efer = 0n;

  constructor(vmcs: Vmcs, physical: ProcessorState, paging: Paging, capabilities: VmxCapabilities) {
    this.#vmcs = vmcs;
    this.#physical = physical;
    this.#paging = paging;
    this.#capabilities = capabilities;
    this.#cr0Held = cr0HeldBits(paging.controls);
  }

  /** What the guest reads of CR0 or CR4 where the processor has `real`. */
  guestView(register: "CR0" | "CR4", real: bigint): bigint {
    const held = register === "CR0" ? this.#cr0Held : cr4Fixed;
    return (real & ~held) | (this.#readShadows[register] & held);
  }

  /** What decides how the guest translates addresses, as the guest sees it. */
  translationControls(): TranslationControls {
    return {
      cr0: this.guestView("CR0", this.#vmcs.read("GUEST_CR0")),
      cr3: this.#paging.readCr3(),
      cr4: this.guestView("CR4", this.#vmcs.read("GUEST_CR4")),
      efer: this.#vmcs.read("GUEST_IA32_EFER"),
    };
  }

  /** Ends the instruction that exited: RIP behind it, and what STI or MOV SS held back no longer held. */
  skipInstruction(): void {
    const vmcs = this.#vmcs;
    const length = vmcs.read("EXIT_INSTRUCTION_LENGTH");
    vmcs.write("GUEST_RIP", BigInt.asUintN(64, vmcs.read("GUEST_RIP") + length));
    this.#endShadows();
  }

  load(state: ProcessorState): void {
    const vmcs = this.#vmcs;
    state.loadContext(this.#physical.saveContext());
    for (const slot of liveSlots) state.set(slot, this.#physical.get(slot));
    state.rip = vmcs.read("GUEST_RIP");
    state.rsp = vmcs.read("GUEST_RSP");
    const controls = this.translationControls();
    state.set(slots.cr0, controls.cr0);
    state.set(slots.cr3, controls.cr3);
    state.set(slots.pdptesOf, 0n);
    state.set(slots.cr4, controls.cr4);
    state.set(slots.dr7, vmcs.read("GUEST_DR7"));
    state.set(slots.pat, vmcs.read("GUEST_IA32_PAT"));
    state.set(slots.tscOffset, vmcs.read("TSC_OFFSET"));
    this.#loadSegments(state);
    // Last: it recomputes what follows from all of these.
    this.#efer = controls.efer;
    state.setControl("efer", controls.efer);
    state.rflags = vmcs.read("GUEST_RFLAGS");
  }

  /** Writes back what one instruction may change that exits here: not segments, nor descriptor tables. */
  store(state: ProcessorState): void {
    const vmcs = this.#vmcs;
    this.#physical.loadContext(state.saveContext());
    for (const slot of liveSlots) this.#physical.set(slot, state.get(slot));
    vmcs.write("GUEST_RIP", state.rip);
    vmcs.write("GUEST_RSP", state.rsp);
    vmcs.write("GUEST_RFLAGS", state.rflags);
    this.#change("TSC_OFFSET", state.get(slots.tscOffset));
    this.#storeControl("CR0", state.cr0, this.#cr0Held);
    this.#storeControl("CR4", state.cr4, cr4Fixed);
    // Turning paging on or off enters or leaves IA-32e mode.
    if (state.efer !== this.#efer) this.#storeEfer(state.efer);
    this.#endShadows();
  }

  /** The same with all that a task switch reads and changes. */
  get whole(): VirtualCpu {
    return {
      load: (state) => this.#loadWhole(state),
      store: (state) => this.#storeWhole(state),
    };
  }

  #loadWhole(state: ProcessorState): void {
    this.load(state);
    const flags = state.rflags;
    for (const name of SEGMENTS) this.#loadSegment(state, name);
    state.set(slots.gdtrBase, this.#vmcs.read("GUEST_GDTR_BASE"));
    state.set(slots.gdtrLimit, this.#vmcs.read("GUEST_GDTR_LIMIT"));
    state.set(slots.idtrBase, this.#vmcs.read("GUEST_IDTR_BASE"));
    state.set(slots.idtrLimit, this.#vmcs.read("GUEST_IDTR_LIMIT"));
    // It recomputes what follows from the segments.
    state.setControl("efer", this.#efer);
    state.rflags = flags;
  }

  #storeWhole(state: ProcessorState): void {
    this.store(state);
    for (const name of SEGMENTS) this.#storeSegment(state, name);
    this.#paging.writeCr3(state.cr3);
    this.#vmcs.write("GUEST_DR7", state.get(slots.dr7));
  }

  /** Writes everything: how a guest begins. */
  storeAll(state: ProcessorState): void {
    const vmcs = this.#vmcs;
    for (const name of SEGMENTS) this.#storeSegment(state, name);
    vmcs.write("GUEST_GDTR_BASE", state.get(slots.gdtrBase));
    vmcs.write("GUEST_GDTR_LIMIT", state.get(slots.gdtrLimit));
    vmcs.write("GUEST_IDTR_BASE", state.get(slots.idtrBase));
    vmcs.write("GUEST_IDTR_LIMIT", state.get(slots.idtrLimit));
    this.#paging.writeCr3(state.cr3);
    vmcs.write("GUEST_DR7", state.get(slots.dr7));
    this.#storeEfer(state.efer);
    vmcs.write("GUEST_IA32_PAT", state.get(slots.pat));
    vmcs.write("GUEST_IA32_SYSENTER_CS", 0);
    vmcs.write("GUEST_IA32_SYSENTER_ESP", 0);
    vmcs.write("GUEST_IA32_SYSENTER_EIP", 0);
    vmcs.write("GUEST_ACTIVITY_STATE", 0);
    vmcs.write("GUEST_INTERRUPTIBILITY_STATE", 0);
    vmcs.write("GUEST_PENDING_DEBUG_EXCEPTIONS", 0);
    this.store(state);
  }

  /** An instruction is over, and with it what the one before held back. */
  #endShadows(): void {
    const blocked = this.#vmcs.readNumber("GUEST_INTERRUPTIBILITY_STATE");
    if ((blocked & shadows) === 0) return;
    this.#vmcs.write("GUEST_INTERRUPTIBILITY_STATE", blocked & ~shadows);
  }

  #storeEfer(efer: bigint): void {
    this.#efer = efer;
    this.#vmcs.write("GUEST_IA32_EFER", efer);
    const isLong = (efer & EFER.LMA) !== 0n;
    this.#vmcs.write("VM_ENTRY_CONTROLS", entryControls(this.#capabilities, isLong));
  }

  #storeControl(register: "CR0" | "CR4", value: bigint, held: bigint): void {
    this.#change(`GUEST_${register}`, value | held);
    if (this.#readShadows[register] === (value & held)) return;
    this.#readShadows[register] = value & held;
    this.#vmcs.write(`${register}_READ_SHADOW`, value & held);
  }

  #change(field: FieldKey, value: bigint): void {
    if (this.#vmcs.read(field) !== value) this.#vmcs.write(field, value);
  }

  #loadSegments(state: ProcessorState): void {
    this.#loadSegment(state, "cs");
    this.#loadSegment(state, "ss");
    const cs = state.getNumber(segmentSlots(SEGMENTS.indexOf("cs")).attributes);
    const ss = state.getNumber(segmentSlots(SEGMENTS.indexOf("ss")).attributes);
    const cpl = (ss >> 5) & userFlags;
    state.setNumber(slots.cpl, cpl);
    // In 64-bit mode, the bases of the others count only where they are FS's and GS's.
    const others =
      (cs & longCode) !== 0 ? (["fs", "gs"] as const) : (["ds", "es", "fs", "gs"] as const);
    for (const name of others) this.#loadSegment(state, name);
    // The I/O permission bitmap.
    if (cpl > 0) this.#loadSegment(state, "tr");
  }

  #loadSegment(state: ProcessorState, name: SegmentName): void {
    const { selector, base, limit, attributes } = segmentSlots(SEGMENTS.indexOf(name));
    const fields = segmentFields(name);
    state.set(selector, this.#vmcs.read(fields.selector));
    state.set(base, this.#vmcs.read(fields.base));
    state.set(limit, this.#vmcs.read(fields.limit));
    state.set(attributes, this.#vmcs.read(fields.rights));
  }

  #storeSegment(state: ProcessorState, name: SegmentName): void {
    const { selector, base, limit, attributes } = state.segment(name);
    const fields = segmentFields(name);
    this.#vmcs.write(fields.selector, selector);
    this.#vmcs.write(fields.base, base);
    this.#vmcs.write(fields.limit, limit);
    this.#vmcs.write(fields.rights, attributes);
  }
}

function segmentFields(
  name: SegmentName,
): Readonly<Record<"selector" | "base" | "limit" | "rights", FieldKey>> {
  const upper = name.toUpperCase() as Uppercase<SegmentName>;
  return {
    selector: `GUEST_${upper}_SELECTOR`,
    base: `GUEST_${upper}_BASE`,
    limit: `GUEST_${upper}_LIMIT`,
    rights: `GUEST_${upper}_ACCESS_RIGHTS`,
  };
}
