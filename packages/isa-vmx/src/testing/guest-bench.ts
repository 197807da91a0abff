/**
 * A bench for virtual machines: a hypervisor in TypeScript with one 64-bit guest, its VMCS valid in every field.
 *
 * Tests change a field or assemble a few instructions, launch, and look at the exit.
 */
import {
  assemble,
  HostMemory,
  Processor,
  type InterruptSource,
  type ProcessorExit,
} from "@ringside/isa";
import { sandyBridge, type VmxCapabilities } from "../capabilities.ts";
import { ENTRY_CONTROL, EXIT_CONTROL, PIN, PRIMARY, SECONDARY } from "../controls.ts";
import { hostStateDefaults } from "../host-state.ts";
import type { FieldKey } from "../fields.ts";
import { vmxExtension, type VmxExtension } from "../vmx-extension.ts";
import type { VmExit, VmxControl } from "../vmx-control.ts";

/** Where the hypervisor keeps its structures, in physical memory. */
export const HOST = {
  vmxon: 0x60_0000,
  vmcs: 0x60_1000,
  vmcs2: 0x60_2000,
  msrBitmap: 0x60_3000,
  ioBitmapA: 0x60_4000,
  ioBitmapB: 0x60_5000,
  virtualApic: 0x60_6000,
  msrArea: 0x60_7000,
  eptPml4: 0x60_8000,
  eptPdpt: 0x60_9000,
  eptDirectory: 0x60_a000,
  eptTable: 0x60_b000,
} as const;

/** Where the guest keeps its own, in guest-physical and linear memory. */
export const GUEST = {
  pml4: 0x1000,
  pdpt: 0x2000,
  directory: 0x3000,
  gdt: 0x8000,
  idt: 0x9000,
  tss: 0xa000,
  code: 0x1_0000,
  handlers: 0x2_0000,
  stack: 0x7_0000,
  data: 0x8_0000,
} as const;

/** Host address of guest-physical 0 under EPT. */
const OFFSET = 0x40_0000;
const GUEST_BYTES = 0x20_0000;

/** One extension for each set of capabilities, so that interpreters are compiled once. */
const extensions = new Map<VmxCapabilities, VmxExtension>();

function extensionOf(capabilities: VmxCapabilities): VmxExtension {
  let extension = extensions.get(capabilities);
  if (extension === undefined) {
    extension = vmxExtension({ rootMode: "monitor", capabilities });
    extensions.set(capabilities, extension);
  }
  return extension;
}

export interface GuestBenchOptions {
  readonly capabilities?: VmxCapabilities;
  readonly interrupts?: Partial<InterruptSource>;
}

export class GuestBench {
  readonly memory: HostMemory = HostMemory.create({
    physicalBytes: 0x80_0000,
    codeCacheBytes: 0x10_0000,
  });
  readonly processor: Processor;
  readonly control: VmxControl;
  readonly capabilities: VmxCapabilities;
  /** Host address of guest-physical address 0. */
  readonly offset: number;
  /** Ports that were really accessed. */
  readonly ports: number[] = [];
  vector = 0x40;
  #launched = false;

  constructor(options: GuestBenchOptions = {}) {
    const { capabilities = sandyBridge } = options;
    this.capabilities = capabilities;
    this.offset = capabilities.ept === undefined ? 0 : OFFSET;
    const extension = extensionOf(capabilities);
    this.processor = new Processor({
      memory: this.memory,
      ports: {
        read: (port) => {
          this.ports.push(port);
          return 0x5a;
        },
        write: (port) => void this.ports.push(port),
      },
      interrupts: {
        acknowledge: () => {
          this.processor.setInterruptRequest(false);
          return this.vector;
        },
        readTaskPriority: () => 0,
        writeTaskPriority: () => undefined,
        ...options.interrupts,
      },
      extensions: [extension],
    });
    this.control = extension.of(this.processor);
    this.#buildGuest();
    this.#buildEpt();
    this.#launchPad();
  }

  /** The bench anew, whatever became of it: processor, guest and VMCS as at the beginning. */
  again(): void {
    this.processor.reset();
    this.#launched = false;
    this.#buildGuest();
    this.#buildEpt();
    this.#launchPad();
  }

  #launchPad(): void {
    const { physical } = this.memory;
    for (const region of [HOST.vmxon, HOST.vmcs, HOST.vmcs2])
      physical.writeU32(region, this.control.revision);
    this.control.vmxon(HOST.vmxon);
    this.control.vmclear(HOST.vmcs);
    this.control.vmptrld(HOST.vmcs);
    this.#fillVmcs();
  }

  // Guest memory.

  write(guest: number, value: bigint): void {
    this.memory.physical.writeU64(this.offset + guest, value);
  }

  read(guest: number): bigint {
    return this.memory.physical.readU64(this.offset + guest);
  }

  load(guest: number, text: string, mode: 32 | 64 = 64): void {
    const { bytes } = assemble(text, { mode, address: BigInt(guest) });
    this.memory.physical.write(this.offset + guest, bytes);
  }

  #buildGuest(): void {
    this.write(GUEST.pml4, BigInt(GUEST.pdpt) | 7n);
    this.write(GUEST.pdpt, BigInt(GUEST.directory) | 7n);
    this.write(GUEST.directory, 0x87n);
    this.write(GUEST.directory + 8, 0x20_0087n);
    this.write(GUEST.gdt + 0x08, 0x00af_9b00_0000_ffffn);
    this.write(GUEST.gdt + 0x10, 0x00cf_9300_0000_ffffn);
    this.write(GUEST.gdt + 0x18, 0x0000_8b00_a000_0067n);
    for (let vector = 0; vector < 256; vector += 1) {
      const handler = GUEST.handlers + vector * 16;
      // VMCALL: the exit shows that the handler was reached.
      this.load(handler, "db 0x0f, 0x01, 0xc1");
      const low =
        BigInt(handler & 0xffff) | (8n << 16n) | (0xeen << 40n) | (BigInt(handler >>> 16) << 48n);
      this.write(GUEST.idt + vector * 16, low);
      this.write(GUEST.idt + vector * 16 + 8, 0n);
    }
  }

  // EPT.

  #buildEpt(): void {
    if (this.capabilities.ept === undefined) return;
    const { physical } = this.memory;
    physical.writeU64(HOST.eptPml4, BigInt(HOST.eptPdpt) | 7n);
    physical.writeU64(HOST.eptPdpt, BigInt(HOST.eptDirectory) | 7n);
    physical.writeU64(HOST.eptDirectory, BigInt(HOST.eptTable) | 7n);
    for (let at = 0; at < GUEST_BYTES; at += 0x1000) {
      physical.writeU64(HOST.eptTable + (at >> 12) * 8, BigInt(OFFSET + at) | 0x37n);
    }
  }

  /** The EPT entry of a guest page: replaces what `change` gives. */
  setEpt(guest: number, change: (entry: bigint) => bigint): void {
    const at = HOST.eptTable + (guest >> 12) * 8;
    this.memory.physical.writeU64(at, change(this.memory.physical.readU64(at)));
    if (this.control.operation === "root") this.control.invept("all-context");
  }

  // The VMCS.

  set(field: FieldKey, value: bigint | number): void {
    this.control.vmwrite(field, value);
  }

  get(field: FieldKey): bigint {
    return this.control.vmread(field);
  }

  /** Sets bits of a control field. */
  enable(field: FieldKey, bits: number): void {
    this.set(field, this.get(field) | BigInt(bits));
  }

  disable(field: FieldKey, bits: number): void {
    this.set(field, this.get(field) & ~BigInt(bits));
  }

  #fillVmcs(): void {
    const { pin, primary, exit, entry, ept, vpid } = this.capabilities;
    hostStateDefaults(this.control);
    this.set(
      "PIN_BASED_CONTROLS",
      pin.mustBeOne | PIN.EXTERNAL_INTERRUPT_EXITING | PIN.NMI_EXITING,
    );
    this.set(
      "PRIMARY_CONTROLS",
      BigInt(primary.mustBeOne) |
        BigInt(PRIMARY.HLT_EXITING) |
        BigInt(PRIMARY.USE_MSR_BITMAPS) |
        BigInt(PRIMARY.ACTIVATE_SECONDARY),
    );
    if (ept !== undefined) this.enable("SECONDARY_CONTROLS", SECONDARY.ENABLE_EPT);
    if (vpid) {
      this.enable("SECONDARY_CONTROLS", SECONDARY.ENABLE_VPID);
      this.set("VIRTUAL_PROCESSOR_ID", 1);
    }
    this.set(
      "VM_EXIT_CONTROLS",
      exit.mustBeOne | EXIT_CONTROL.HOST_ADDRESS_SPACE_SIZE | EXIT_CONTROL.ACKNOWLEDGE_INTERRUPT,
    );
    this.set("VM_ENTRY_CONTROLS", entry.mustBeOne | ENTRY_CONTROL.IA32E_MODE_GUEST);
    this.set("MSR_BITMAP", HOST.msrBitmap);
    this.set("IO_BITMAP_A", HOST.ioBitmapA);
    this.set("IO_BITMAP_B", HOST.ioBitmapB);
    this.set("VIRTUAL_APIC_ADDRESS", HOST.virtualApic);
    this.set("EPT_POINTER", BigInt(HOST.eptPml4) | 0x1en);
    this.set("VMCS_LINK_POINTER", 0xffff_ffff_ffff_ffffn);
    this.set("GUEST_CR0", 0x8001_0033n);
    this.set("GUEST_CR3", GUEST.pml4);
    this.set("GUEST_CR4", 0x2620n);
    this.set("GUEST_IA32_EFER", 0xd01n);
    this.set("GUEST_IA32_PAT", 0x0007_0406_0007_0406n);
    this.set("GUEST_DR7", 0x400);
    const segment = (
      name: "CS" | "SS" | "DS" | "ES" | "FS" | "GS",
      selector: number,
      rights: number,
    ): void => {
      this.set(`GUEST_${name}_SELECTOR`, selector);
      this.set(`GUEST_${name}_LIMIT`, 0xffff_ffff);
      this.set(`GUEST_${name}_ACCESS_RIGHTS`, rights);
    };
    segment("CS", 0x08, 0xa09b);
    for (const name of ["SS", "DS", "ES", "FS", "GS"] as const) segment(name, 0x10, 0xc093);
    this.set("GUEST_LDTR_ACCESS_RIGHTS", 0x1_0000);
    this.set("GUEST_TR_SELECTOR", 0x18);
    this.set("GUEST_TR_BASE", GUEST.tss);
    this.set("GUEST_TR_LIMIT", 0x67);
    this.set("GUEST_TR_ACCESS_RIGHTS", 0x8b);
    this.set("GUEST_GDTR_BASE", GUEST.gdt);
    this.set("GUEST_GDTR_LIMIT", 0x1f);
    this.set("GUEST_IDTR_BASE", GUEST.idt);
    this.set("GUEST_IDTR_LIMIT", 0xfff);
    this.set("GUEST_RIP", GUEST.code);
    this.set("GUEST_RSP", GUEST.stack);
    this.set("GUEST_RFLAGS", 2);
  }

  // Running.

  /** VMLAUNCH the first time, VMRESUME afterwards. @throws {Error} The entry did not happen. */
  enter(): void {
    const result = this.#launched ? this.control.resume() : this.control.launch();
    if (result.kind !== "entered") {
      const failure = result.kind === "failed" ? result.failure : result.exit.entryFailure;
      throw new Error(`The guest was not entered: ${failure?.message ?? JSON.stringify(result)}`);
    }
    this.#launched = true;
  }

  /** Enters the guest and runs it until the processor comes back. */
  go(limitUnits = 10_000): ProcessorExit {
    this.enter();
    return this.processor.run(limitUnits);
  }

  /** Runs until a VM exit, and gives its reason. @throws {Error} The processor came back for something else. */
  exit(limitUnits = 10_000): number {
    return vmExit(this.go(limitUnits)).reason;
  }

  /** Assembles at {@link GUEST.code}, and runs to a VM exit. */
  run(text: string): number {
    this.load(GUEST.code, text);
    return this.exit();
  }

  /** Moves the guest behind the instruction that exited. */
  skip(): void {
    this.set("GUEST_RIP", this.get("GUEST_RIP") + this.get("EXIT_INSTRUCTION_LENGTH"));
  }

  /** The vector whose handler the guest reached: it exits with VMCALL. */
  get handler(): number {
    return Math.floor((Number(this.get("GUEST_RIP")) - GUEST.handlers) / 16);
  }
}

/** The VM exit that a run ended with. */
export function vmExit(exit: ProcessorExit): VmExit {
  if (exit.reason !== "extension") {
    throw new Error(`Expected a VM exit, and the processor came back with ${exit.reason}.`);
  }
  return exit.value as VmExit;
}
