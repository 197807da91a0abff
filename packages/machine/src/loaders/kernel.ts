/**
 * Loads a kernel and says how the processor must enter it.
 *
 * The ways are those that {@link KernelFormat} names. Loading writes memory only; {@link enterKernel} sets the registers.
 */
import { defaultProfile, slots, type ProcessorProfile, type ProcessorState } from "@ringside/isa";
import { acpiTables } from "../acpi/tables.ts";
import type { Hardware } from "../hardware.ts";
import { BootMemory, firmwareBase, type BootTarget } from "./boot-memory.ts";
import { ByteWriter } from "./byte-writer.ts";
import { isBzImage, parseBzImage } from "./bzimage.ts";
import { isElf, parseElf, type Elf, type ElfNote } from "./elf.ts";
import { ImageError } from "./image-error.ts";
import { bootCodeSelector, bootDataSelector, entry64Offset, loadLinux } from "./linux.ts";
import { isMultiboot, loadMultiboot } from "./multiboot.ts";
import { loadSegments } from "./segments.ts";
import { placeStartInfo, type BootModule } from "./start-info.ts";

/**
 * - `elf64`: ELF64, entered in 64-bit mode at `e_entry`, a physical address, with a start info in RBX.
 * - `pvh`: an ELF with a PVH note, entered in 32-bit protected mode with a start info in EBX.
 * - `multiboot`: Multiboot 1, entered in 32-bit protected mode with EAX = 0x2bad_b002.
 * - `flat`: bytes placed at 1 MiB and entered there like `elf64`.
 * - `bzimage`: a bzImage of Linux, entered by its 64-bit boot protocol; it decompresses itself.
 * - `bzimage32`: the same by the 32-bit boot protocol.
 * - `xen-pv`: an ELF64 with Xen's notes, entered by a hypervisor as a paravirtual domain; a bare machine cannot.
 */
export type KernelFormat =
  | "elf64"
  | "pvh"
  | "multiboot"
  | "flat"
  | "bzimage"
  | "bzimage32"
  | "xen-pv";

/** Whether kernels of a format are handed files of any number; the others take an initrd at most. */
export function takesModules(format: KernelFormat): boolean {
  return ["elf64", "pvh", "multiboot", "flat"].includes(format);
}

export interface KernelImage {
  readonly image: Uint8Array;
  readonly format: KernelFormat;
  readonly commandLine: string;
  readonly initrd?: Uint8Array | undefined;
  /** Files beside the initrd, for formats that {@link takesModules}. */
  readonly modules?: readonly BootModule[] | undefined;
  /** What the machine has; with ACPI, its tables are written, too. */
  readonly hardware?: Hardware | undefined;
}

/** How the processor enters a loaded kernel, interrupts off. */
export type KernelEntry =
  | {
      /** CPL 0, flat segments of the GDT at `gdt`, the first 4 GiB mapped one to one by the tables at `cr3`. */
      readonly mode: "long";
      readonly rip: number;
      readonly cr3: number;
      readonly gdt: Gdt;
      readonly rbx: number;
      readonly rsi: number;
    }
  | {
      /** CPL 0, flat 32-bit segments, paging off. */
      readonly mode: "protected";
      readonly eip: number;
      readonly eax: number;
      readonly ebx: number;
      readonly esi: number;
      readonly gdt: Gdt;
    };

export interface Gdt {
  readonly base: number;
  readonly limit: number;
  /** Selectors in CS and in the other segment registers. */
  readonly code: number;
  readonly data: number;
}

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
  const { modules = [], format } = kernel;
  if (modules.length > 0 && !takesModules(format)) {
    throw new ImageError(format, 0, "a kernel that takes modules", "one that takes an initrd");
  }
  const memory = new BootMemory(target, memoryBytes);
  if (kernel.hardware !== undefined) memory.placeBiosData();
  const rsdp = placeAcpi(memory, kernel.hardware);
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
      return enterLong(memory, Number(elf.entry), () => ({
        rbx: placeStartInfo(memory, kernel, rsdp),
        rsi: 0,
      }));
    }
    case "flat":
      if (kernel.image.length === 0) throw new ImageError("flat image", 0, "code", "an empty file");
      memory.place("flat image", flatBase, kernel.image);
      return enterLong(memory, flatBase, () => ({
        rbx: placeStartInfo(memory, kernel, rsdp),
        rsi: 0,
      }));
    case "pvh": {
      const elf = parseElf(kernel.image);
      const eip = pvhEntry(elf);
      loadSegments(memory, elf, kernel.image);
      const gdt = placeGdt(memory, code32);
      const ebx = placeStartInfo(memory, kernel, rsdp);
      return { mode: "protected", eip, eax: 0, ebx, esi: 0, gdt };
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
      const gdt = placeGdt(memory, code32);
      return { mode: "protected", eip, eax: 0x2bad_b002, ebx: info, esi: 0, gdt };
    }
    case "bzimage": {
      const { base, parameters } = loadLinux(memory, kernel, 64, rsdp);
      const registers = { rbx: 0, rsi: parameters };
      return enterLong(memory, base + entry64Offset, () => registers, linuxSelectors);
    }
    case "bzimage32": {
      const { base, parameters } = loadLinux(memory, kernel, 32, rsdp);
      const gdt = placeGdt(memory, code32, linuxSelectors);
      return { mode: "protected", eip: base, eax: 0, ebx: 0, esi: parameters, gdt };
    }
  }
}

/** IA32_MTRR_DEF_TYPE: enabled (bit 11), write-back. Intel SDM Vol. 3A §12.11.2.1, "IA32_MTRR_DEF_TYPE MSR". */
const memoryIsWriteBack = 0x806n;

/**
 * Sets the registers of a processor that was reset, those included that a PC's firmware sets: kernels expect the memory
 * type range registers, where there are any, in use.
 *
 * @param profile What the processor says it is.
 */
export function enterKernel(
  state: ProcessorState,
  entry: KernelEntry,
  profile: ProcessorProfile = defaultProfile,
): void {
  if (profile.features.has("mtrr")) state.set(slots.mtrrDefaultType, memoryIsWriteBack);
  if (entry.mode === "long") {
    state.enterLongMode({ cpl: 0, cr3: entry.cr3, rip: BigInt(entry.rip), rsp: 0n });
    state.rbx = BigInt(entry.rbx);
    state.rsi = BigInt(entry.rsi);
  } else {
    state.enterProtectedMode32({ rip: entry.eip });
    state.rax = BigInt(entry.eax);
    state.rbx = BigInt(entry.ebx);
    state.rsi = BigInt(entry.esi);
  }
  for (const name of ["cs", "ss", "ds", "es", "fs", "gs"] as const) {
    const selector = name === "cs" ? entry.gdt.code : entry.gdt.data;
    state.setSegment(name, { ...state.segment(name), selector });
  }
  state.set(slots.gdtrBase, BigInt(entry.gdt.base));
  state.setNumber(slots.gdtrLimit, entry.gdt.limit);
}

/**
 * What a kernel file is, by its magic numbers; undefined when it is none of the formats that have any. An ELF with a
 * PVH note is `pvh`, one with a Multiboot header `multiboot`. A bzImage for 32-bit processors is `bzimage32`.
 *
 * @throws {ImageError} when it is a damaged ELF or bzImage, or one for another architecture.
 */
export function kernelFormatOf(image: Uint8Array): Exclude<KernelFormat, "flat"> | undefined {
  if (isBzImage(image)) return parseBzImage(image).has64BitEntry ? "bzimage" : "bzimage32";
  if (!isElf(image)) return isMultiboot(image) ? "multiboot" : undefined;
  const elf = parseElf(image);
  if (pvhNoteOf(elf) !== undefined) return "pvh";
  return isMultiboot(image) || elf.bits === 32 ? "multiboot" : "elf64";
}

function pvhNoteOf(elf: Elf): ElfNote | undefined {
  return elf.notes.find(({ name, type }) => name === "Xen" && type === pvhNote);
}

function pvhEntry(elf: Elf): number {
  const note = pvhNoteOf(elf);
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

/** Gives the physical address of the root pointer, or 0. */
function placeAcpi(memory: BootMemory, hardware: Hardware | undefined): number {
  if (hardware === undefined || hardware.acpi === false) return 0;
  const { bytes, rsdp } = acpiTables(firmwareBase);
  memory.placeFirmware(bytes);
  return rsdp;
}

/** @param registers Places what they point at, behind the tables. */
function enterLong(
  memory: BootMemory,
  rip: number,
  registers: () => { readonly rbx: number; readonly rsi: number },
  selectors: Selectors = usualSelectors,
): KernelEntry {
  const cr3 = placeIdentityMap(memory);
  const gdt = placeGdt(memory, code64, selectors);
  return { mode: "long", rip, cr3, gdt, ...registers() };
}

interface Selectors {
  readonly code: number;
  readonly data: number;
}

const usualSelectors: Selectors = { code: 0x08, data: 0x10 };
const linuxSelectors: Selectors = { code: bootCodeSelector, data: bootDataSelector };

/** Flat descriptors for CPL 0. SDM Vol. 3A §3.4.5, "Segment Descriptors". */
const code64 = 0x00af_9b00_0000_ffffn;
const code32 = 0x00cf_9b00_0000_ffffn;
const data = 0x00cf_9300_0000_ffffn;

/** What the segment registers hold at entry. */
function placeGdt(memory: BootMemory, code: bigint, selectors: Selectors = usualSelectors): Gdt {
  const table = new ByteWriter(selectors.data + 8)
    .u64(selectors.code, code)
    .u64(selectors.data, data);
  return { base: memory.placeLow("GDT", table.bytes), limit: table.bytes.length - 1, ...selectors };
}

const present = 1;
const writable = 2;
const largePage = 0x80;
const gibibytes = 4;
const tableEntries = 512;

/** The first 4 GiB with 2 MiB pages, supervisor, writable, executable. SDM Vol. 3A §4.5, "4-Level Paging and 5-Level Paging". */
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
