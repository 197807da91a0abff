/**
 * The setup header of a bzImage, the file that Linux for x86 is packed in.
 *
 * Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". A bzImage is: a boot sector and setup code for
 * real mode, then the protected-mode kernel, which is a decompressor and a compressed ELF.
 */
import { ByteReader } from "./byte-reader.ts";
import { ImageError } from "./image-error.ts";

export interface BzImage {
  /** Protocol version, such as 0x20f for 2.15. */
  readonly version: number;
  /** Bytes 0x1f1 to the end of the header, as the loader copies them into the boot parameters. */
  readonly setupHeader: Uint8Array;
  /** The protected-mode kernel. */
  readonly code: Uint8Array;
  /** Where {@link code} begins in the file. */
  readonly codeOffset: number;
  /** Where {@link code} is loaded, and the bytes of memory that it needs there before it has found the memory map. */
  readonly preferredBase: number;
  readonly initBytes: number;
  /** Whether it has a 64-bit entry, 0x200 bytes into {@link code}. */
  readonly has64BitEntry: boolean;
  /** The highest address that the initrd may have a byte at. */
  readonly initrdLast: number;
  /** Longest command line, without its terminator. */
  readonly commandLineBytes: number;
  /** The compressed kernel, from {@link code}. */
  readonly payload: { readonly offset: number; readonly lengthBytes: number };
}

const fileKind = "bzImage";
const sectorBytes = 512;
const paragraphBytes = 16;
const headerStart = 0x1f1;
const bootFlag = 0xaa55;
const headerMagic = 0x5372_6448;
/** 2.06 has the length of the command line, 2.08 the payload, 2.10 where it wants to be, 2.12 the 64-bit entry. */
const oldestVersion = 0x20a;
const loadedHigh = 1;
const kernel64 = 1;

/** True when the file has the magic numbers of a Linux boot sector. */
export function isBzImage(image: Uint8Array): boolean {
  if (image.length < 0x206) return false;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return view.getUint16(0x1fe, true) === bootFlag && view.getUint32(0x202, true) === headerMagic;
}

/** @throws {ImageError} when the file is no bzImage of protocol 2.10 or later, or is cut short. */
export function parseBzImage(image: Uint8Array): BzImage {
  const file = new ByteReader(fileKind, image);
  refuseOtherArchitectures(image);
  if (file.u16(0x1fe, "the boot flag") !== bootFlag) {
    throw file.error(0x1fe, "the boot flag aa55", hex(file.u16(0x1fe, "the boot flag")));
  }
  const magic = file.u32(0x202, "the header's magic");
  if (magic !== headerMagic) throw file.error(0x202, 'the magic "HdrS"', hex(magic));
  const version = file.u16(0x206, "the protocol version");
  if (version < oldestVersion) {
    throw file.error(0x206, `boot protocol 2.10 or later`, `${version >> 8}.${version & 0xff}`);
  }
  const headerEnd = 0x202 + (file.slice(0x201, 1, "the header's length")[0] ?? 0);
  if (headerEnd < 0x264) throw file.error(0x201, "a header up to init_size", hex(headerEnd));
  const setupHeader = file.slice(headerStart, headerEnd - headerStart, "the setup header");
  const loadFlags = setupHeader[0x211 - headerStart] ?? 0;
  if ((loadFlags & loadedHigh) === 0) {
    throw file.error(0x211, "a kernel that is loaded at 1 MiB (loadflags bit 0)", hex(loadFlags));
  }

  const setupSectors = setupHeader[0] === 0 ? 4 : (setupHeader[0] ?? 0);
  const codeOffset = (setupSectors + 1) * sectorBytes;
  const paragraphs = file.u32(0x1f4, "syssize");
  const left = image.length - codeOffset;
  // Linux fills its last paragraph; what else is packed like it, such as Memtest86+, may end inside.
  const isInLast = Math.ceil(left / paragraphBytes) === paragraphs;
  const codeBytes = isInLast ? left : paragraphs * paragraphBytes;
  const code = file.slice(codeOffset, codeBytes, "the protected-mode kernel");
  const payload = {
    offset: file.u32(0x248, "payload_offset"),
    lengthBytes: file.u32(0x24c, "payload_length"),
  };
  if (payload.offset + payload.lengthBytes > codeBytes) {
    throw file.error(
      0x24c,
      `a payload that ends in the ${codeBytes} bytes of the kernel`,
      hex(payload.offset + payload.lengthBytes),
    );
  }
  const initBytes = file.u32(0x260, "init_size");
  return {
    version,
    setupHeader,
    code,
    codeOffset,
    preferredBase: file.size64(0x258, "pref_address"),
    initBytes: Math.max(initBytes, codeBytes),
    has64BitEntry: version >= 0x20c && (file.u16(0x236, "xloadflags") & kernel64) !== 0,
    initrdLast: file.u32(0x22c, "initrd_addr_max"),
    commandLineBytes: file.u32(0x238, "cmdline_size"),
    payload,
  };
}

/** Kernels of other architectures say who they are at fixed places. */
function refuseOtherArchitectures(image: Uint8Array): void {
  // Linux, Documentation/arch/arm64/booting.rst and Documentation/arch/riscv/boot-image-header.rst: the magic at 0x38.
  const magic = new TextDecoder("latin1").decode(image.subarray(0x38, 0x3c));
  const other = magic === "ARMd" ? "an arm64 Image" : magic === "RSC\x05" ? "a RISC-V Image" : "";
  if (other !== "") throw new ImageError(fileKind, 0x38, "a kernel for x86", other);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
