/** What a kernel says about itself in its ELF notes. Xen, xen/include/public/elfnote.h. */
import { ImageError, parseElf, type Elf } from "@ringside/machine";
import { NOTE } from "../abi/domain.ts";

export interface XenKernel {
  readonly elf: Elf;
  /** Linear address of the first instruction. */
  readonly entry: bigint;
  /** Linear address of the domain's frame 0. */
  readonly base: bigint;
  /** What the physical addresses of the file's segments count from. */
  readonly physicalOffset: bigint;
  /** Where the kernel wants the page for hypercalls. */
  readonly hypercallPage: bigint | undefined;
  /** Where it wants the list of its frames; beside it otherwise. */
  readonly frameListBase: bigint | undefined;
  /** Whether it takes its initrd by frame, unmapped. */
  readonly takesModuleByFrame: boolean;
}

/** @throws {ImageError} when the file is no ELF64 or has no paravirtual entry. */
export function readXenKernel(image: Uint8Array): XenKernel {
  const elf = parseElf(image);
  if (elf.bits !== 64) throw new ImageError("ELF", 4, "class 2 (64 bits)", "class 1");
  const number = (type: number): bigint | undefined => numberNote(elf, type);
  const entry = number(NOTE.ENTRY);
  if (entry === undefined) {
    throw new ImageError("ELF", 0, 'a note "Xen" of type 1 (the paravirtual entry)', "none");
  }
  return {
    elf,
    entry,
    base: number(NOTE.VIRT_BASE) ?? 0n,
    physicalOffset: number(NOTE.PADDR_OFFSET) ?? 0n,
    hypercallPage: number(NOTE.HYPERCALL_PAGE),
    frameListBase: number(NOTE.INIT_P2M),
    takesModuleByFrame: (number(NOTE.MOD_START_PFN) ?? 0n) !== 0n,
  };
}

function numberNote(elf: Elf, type: number): bigint | undefined {
  const note = elf.notes.find((each) => each.name === "Xen" && each.type === type);
  if (note === undefined) return undefined;
  const { descriptor } = note;
  const view = new DataView(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength);
  if (descriptor.length === 8) return view.getBigUint64(0, true);
  if (descriptor.length === 4) return BigInt(view.getUint32(0, true));
  throw new ImageError(
    "ELF",
    0,
    `a note "Xen" of type ${type} with 4 or 8 bytes`,
    `${descriptor.length} bytes`,
  );
}
