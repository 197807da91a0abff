/**
 * The checksum of a bzImage: a damaged one else unpacks to nonsense and halts, which looks like an orderly end.
 *
 * Linux, Documentation/arch/x86/boot.rst, "The Image Checksum": from protocol 2.08 on the file ends, where `syssize`
 * says, with a CRC-32 that makes that of the whole 0 before its final inversion. Signing for secure boot changes two
 * fields of the PE header afterwards, which were 0 before (Microsoft PE Format, "Optional Header").
 */
import { crc32 } from "node:zlib";

const setupSectors = 0x1f1;
const systemSize = 0x1f4;
const protocolVersion = 0x206;
const firstVersionWithChecksum = 0x208;
const sectorBytes = 512;
const paragraphBytes = 16;
const wholeChecksum = 0xffff_ffff;

const peOffset = 0x3c;
const peMagic = 0x0000_4550;
const optionalHeader = 24;
const pe32Plus = 0x20b;
/** In the optional header of PE32+: the checksum, and where the certificates are. */
const signedFields = [
  { offset: 64, bytes: 4 },
  { offset: 144, bytes: 8 },
] as const;

/** Whether the checksum is right; undefined when the file has none, or ends before it. */
export function isBzImageIntact(image: Uint8Array): boolean | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (
    image.length < sectorBytes ||
    view.getUint16(protocolVersion, true) < firstVersionWithChecksum
  )
    return undefined;
  const setupBytes = (view.getUint8(setupSectors) + 1) * sectorBytes;
  const end = setupBytes + view.getUint32(systemSize, true) * paragraphBytes;
  if (end > image.length) return undefined;
  const unsigned = image.slice(0, end);
  const pe = view.getUint32(peOffset, true) + optionalHeader;
  const isPe =
    pe + 152 <= setupBytes &&
    view.getUint32(pe - optionalHeader, true) === peMagic &&
    view.getUint16(pe, true) === pe32Plus;
  if (isPe) {
    for (const { offset, bytes } of signedFields)
      unsigned.fill(0, pe + offset, pe + offset + bytes);
  }
  return crc32(unsigned) === wholeChecksum;
}
