/**
 * Loads a kernel and says how the processor must enter it.
 *
 * Four ways, as {@link KernelFormat} names them. Loading writes memory only; {@link enterKernel} sets the registers.
 */
import { slots, type ProcessorState } from "@ringside/isa";
import { BootMemory, type BootTarget } from "./boot-memory.ts";
import { ByteWriter } from "./byte-writer.ts";
import { parseElf, type Elf } from "./elf.ts";
import { ImageError } from "./image-error.ts";
import { loadMultiboot } from "./multiboot.ts";
import { loadSegments } from "./segments.ts";
import { placeStartInfo } from "./start-info.ts";

/**
 * - `elf64`: ELF64, entered in 64-bit mode at `e_entry`, a physical address, with a start info in RBX.
 * - `pvh`: an ELF with a PVH note, entered in 32-bit protected mode with a start info in EBX.
 * - `multiboot`: Multiboot 1, entered in 32-bit protected mode with EAX = 0x2bad_b002.
 * - `flat`: bytes placed at 1 MiB and entered there like `elf64`.
 * - `xen-pv`: an ELF64 with Xen's notes, entered by a hypervisor as a paravirtual domain; a bare machine cannot.
 */
export type KernelFormat = "elf64" | "pvh" | "multiboot" | "flat" | "xen-pv";

export interface KernelImage {
  readonly image: Uint8Array;
  readonly format: KernelFormat;
  readonly commandLine: string;
  readonly initrd?: Uint8Array | undefined;
}

/** How the processor enters a loaded kernel, interrupts off. */
export type KernelEntry =
  | {
      /** CPL 0, flat segments of the GDT at `gdt`, the first 4 GiB mapped one to one by the tables at `cr3`. */
      readonly mode: "long";
      readonly rip: number;
      readonly cr3: number;
      readonly gdt: { readonly base: number; readonly limit: number };
      readonly rbx: number;
    }
  | {
      /** CPL 0, flat 32-bit segments, paging off. */
      readonly mode: "protected";
      readonly eip: number;
      readonly eax: number;
      readonly ebx: number;
      readonly gdt: { readonly base: number; readonly limit: number };
    };

/** XEN_ELFNOTE_PHYS32_ENTRY of xen/include/public/elfnote.h. */
const pvhNote = 18;

const flatBase = 0x10_0000;

/**
 * Writes kernel, initrd and boot information into `target`.
 *
 * @throws {ImageError} when a file is malformed or does not fit.
 * @throws {RangeError} when `memoryBytes` is no size that a machine can have.
 */
export function loadKernel(
  target: BootTarget,
  memoryBytes: number,
  kernel: KernelImage,
): KernelEntry {
  const memory = new BootMemory(target, memoryBytes);
  switch (kernel.format) {
    case "elf64": {
      const elf = parseElf(kernel.image);
      if (elf.bits !== 64) throw new ImageError("ELF", 4, "class 2 (64 bits)", "class 1");
      if (elf.entry >= BigInt(memoryBytes)) {
        throw new ImageError(
          "ELF",
          24,
          `a physical e_entry in ${memoryBytes} bytes of memory`,
          `0x${elf.entry.toString(16)}`,
        );
      }
      loadSegments(memory, elf, kernel.image);
      return enterLong(memory, Number(elf.entry), kernel);
    }
    case "flat":
      if (kernel.image.length === 0) throw new ImageError("flat image", 0, "code", "an empty file");
      memory.place("flat image", flatBase, kernel.image);
      return enterLong(memory, flatBase, kernel);
    case "pvh": {
      const elf = parseElf(kernel.image);
      const eip = pvhEntry(elf);
      loadSegments(memory, elf, kernel.image);
      const gdt = placeGdt(memory, code32);
      return { mode: "protected", eip, eax: 0, ebx: placeStartInfo(memory, kernel), gdt };
    }
    case "xen-pv":
      throw new ImageError(
        "kernel",
        0,
        "a kernel for a machine",
        "a paravirtual one, which only a hypervisor can enter",
      );
    case "multiboot": {
      const { eip, info } = loadMultiboot(memory, kernel);
      return { mode: "protected", eip, eax: 0x2bad_b002, ebx: info, gdt: placeGdt(memory, code32) };
    }
  }
}

/** Sets the registers of a processor that was reset. */
export function enterKernel(state: ProcessorState, entry: KernelEntry): void {
  if (entry.mode === "long") {
    state.enterLongMode({ cpl: 0, cr3: entry.cr3, rip: BigInt(entry.rip), rsp: 0n });
    state.rbx = BigInt(entry.rbx);
  } else {
    state.enterProtectedMode32({ rip: entry.eip });
    state.rax = BigInt(entry.eax);
    state.rbx = BigInt(entry.ebx);
  }
  state.set(slots.gdtrBase, BigInt(entry.gdt.base));
  state.setNumber(slots.gdtrLimit, entry.gdt.limit);
}

function pvhEntry(elf: Elf): number {
  const note = elf.notes.find(({ name, type }) => name === "Xen" && type === pvhNote);
  if (note === undefined) {
    throw new ImageError("ELF", 0, `a note "Xen" of type ${pvhNote} (the PVH entry)`, "none");
  }
  const { descriptor } = note;
  if (descriptor.length < 4) {
    throw new ImageError("ELF", 0, "a PVH entry of 4 or 8 bytes", `${descriptor.length} bytes`);
  }
  const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
  return view.getUint32(0, true);
}

function enterLong(memory: BootMemory, rip: number, kernel: KernelImage): KernelEntry {
  return {
    mode: "long",
    rip,
    cr3: placeIdentityMap(memory),
    gdt: placeGdt(memory, code64),
    rbx: placeStartInfo(memory, kernel),
  };
}

/** Flat descriptors for CPL 0. SDM Vol. 3A §3.4.5, "Segment Descriptors". */
const code64 = 0x00af_9b00_0000_ffffn;
const code32 = 0x00cf_9b00_0000_ffffn;
const data = 0x00cf_9300_0000_ffffn;

/** Null, code at selector 0x08, data at 0x10: what the segment registers hold at entry. */
function placeGdt(memory: BootMemory, code: bigint): { base: number; limit: number } {
  const table = new ByteWriter(24).u64(8, code).u64(16, data);
  return { base: memory.placeLow("GDT", table.bytes), limit: table.bytes.length - 1 };
}

const present = 1;
const writable = 2;
const largePage = 0x80;
const gibibytes = 4;
const tableEntries = 512;

/** The first 4 GiB with 2 MiB pages, supervisor, writable, executable. SDM Vol. 3A §4.5, "4-Level Paging". */
function placeIdentityMap(memory: BootMemory): number {
  const directories = new ByteWriter(4096 * gibibytes);
  for (let page = 0; page < tableEntries * gibibytes; page += 1) {
    directories.u64(8 * page, page * 0x20_0000 + (present | writable | largePage));
  }
  const directoryBase = memory.placeLow("page directories", directories.bytes);
  const pointers = new ByteWriter(4096);
  for (let index = 0; index < gibibytes; index += 1) {
    pointers.u64(8 * index, directoryBase + 4096 * index + (present | writable));
  }
  const pointerBase = memory.placeLow("page directory pointers", pointers.bytes);
  const top = new ByteWriter(4096).u64(0, pointerBase + (present | writable));
  return memory.placeLow("page map", top.bytes);
}
