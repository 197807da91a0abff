/**
 * Loads a bzImage and writes the boot parameters ("zero page") that Linux reads.
 *
 * Linux, Documentation/arch/x86/boot.rst, "32-bit Boot Protocol" and "64-bit Boot Protocol";
 * Documentation/arch/x86/zero-page.rst.
 */
import type { BootMemory } from "./boot-memory.ts";
import { ByteWriter, terminated } from "./byte-writer.ts";
import { parseBzImage, type BzImage } from "./bzimage.ts";
import { ImageError } from "./image-error.ts";
import type { BootFiles } from "./start-info.ts";

export interface LinuxImage extends BootFiles {
  readonly image: Uint8Array;
}

export interface LoadedLinux {
  /** Where the protected-mode kernel begins, which is its 32-bit entry. */
  readonly base: number;
  /** Physical address of the boot parameters. */
  readonly parameters: number;
}

/** The 64-bit entry lies here in the protected-mode kernel. */
export const entry64Offset = 0x200;
/** What the boot protocol calls __BOOT_CS and __BOOT_DS. */
export const bootCodeSelector = 0x10;
export const bootDataSelector = 0x18;

const parametersBytes = 4096;
const headerStart = 0x1f1;
/** type_of_loader: one without an assigned number. */
const otherLoader = 0xff;
const mapEntryBytes = 20;

/**
 * Places kernel, initrd, command line and boot parameters.
 *
 * @param rsdp Physical address of the ACPI root pointer, 0 without ACPI.
 * @throws {ImageError} when a file is malformed or does not fit.
 */
export function loadLinux(
  memory: BootMemory,
  kernel: LinuxImage,
  entryBits: 32 | 64,
  rsdp: number,
): LoadedLinux {
  const image = parseBzImage(kernel.image);
  if (entryBits === 64 && !image.has64BitEntry) {
    throw new ImageError("bzImage", 0x236, "a 64-bit entry (xloadflags bit 0)", "none");
  }
  const base = image.preferredBase;
  memory.place("bzImage", base, image.code, image.initBytes);

  const commandLine = terminated(kernel.commandLine);
  if (kernel.commandLine.length > image.commandLineBytes) {
    throw new ImageError(
      "command line",
      image.commandLineBytes,
      `at most ${image.commandLineBytes} characters`,
      `${kernel.commandLine.length}`,
    );
  }
  const commandLineAt = memory.placeLow("command line", commandLine);
  const initrdAt =
    kernel.initrd === undefined
      ? 0
      : memory.placeHigh("initrd", kernel.initrd, image.initrdLast + 1);
  const parameters = bootParameters(memory, image, {
    commandLineAt,
    initrdAt,
    initrdBytes: kernel.initrd?.length ?? 0,
    base,
    rsdp,
  });
  return { base, parameters: memory.placeLow("boot parameters", parameters) };
}

interface Placed {
  readonly commandLineAt: number;
  readonly initrdAt: number;
  readonly initrdBytes: number;
  readonly base: number;
  readonly rsdp: number;
}

function bootParameters(memory: BootMemory, image: BzImage, placed: Placed): Uint8Array {
  const page = new ByteWriter(parametersBytes);
  page.bytes.set(image.setupHeader, headerStart);
  page.bytes[0x210] = otherLoader;
  page
    .u32(0x214, placed.base) // code32_start
    .u32(0x218, placed.initrdAt)
    .u32(0x21c, placed.initrdBytes)
    .u32(0x228, placed.commandLineAt)
    .u64(0x070, placed.rsdp) // acpi_rsdp_addr
    .u32(0x1e0, Math.floor((memory.memoryBytes - 0x10_0000) / 1024)); // alt_mem_k
  page.bytes[0x1e8] = memory.map.length;
  memory.map.forEach(({ base, sizeBytes, type }, index) => {
    const at = 0x2d0 + mapEntryBytes * index;
    page
      .u64(at, base)
      .u64(at + 8, sizeBytes)
      .u32(at + 16, type);
  });
  return page.bytes;
}
