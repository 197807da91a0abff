/**
 * A look at an initrd before a kernel gets it: a kernel that finds a damaged one panics late, and says little.
 *
 * cpio archives are followed from member to member (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
 * What is compressed is the kernel's to unpack: only its beginning is looked at.
 */
import { CommandError } from "../failure.ts";

/** Beginnings of what Linux unpacks or mounts (linux/lib/decompress.c and init/do_mounts_rd.c). */
const knownBeginnings: readonly { readonly offset: number; readonly bytes: readonly number[] }[] = [
  { offset: 0, bytes: [0x1f, 0x8b] }, // gzip
  { offset: 0, bytes: [0x42, 0x5a, 0x68] }, // bzip2
  { offset: 0, bytes: [0x5d, 0x00, 0x00] }, // lzma
  { offset: 0, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a] }, // xz
  { offset: 0, bytes: [0x89, 0x4c, 0x5a, 0x4f] }, // lzo
  { offset: 0, bytes: [0x02, 0x21, 0x4c, 0x18] }, // lz4, legacy frame
  { offset: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd] }, // zstd
  { offset: 0, bytes: [0x68, 0x73, 0x71, 0x73] }, // squashfs
  { offset: 0x438, bytes: [0x53, 0xef] }, // ext2 to ext4
];

const headerBytes = 110;
const trailer = "TRAILER!!!";

/**
 * @param path For messages alone.
 * @throws {CommandError} The file is no initrd, or is cut short.
 */
export function checkInitrd(path: string, bytes: Uint8Array): void {
  let at = 0;
  let members = 0;
  for (;;) {
    while (bytes[at] === 0) at += 1; // Archives may follow each other with zeros between.
    if (at >= bytes.length) break;
    if (!isCpio(bytes, at)) {
      if (knownBeginnings.some(({ offset, bytes: magic }) => has(bytes, at + offset, magic)))
        return;
      throw new CommandError(
        `${path} is no initrd: at offset 0x${at.toString(16)} expected a cpio archive ("070701") or something compressed, found ${hex(bytes.subarray(at, at + 6))}.`,
      );
    }
    at = archiveEnd(path, bytes, at);
    members += 1;
  }
  if (members === 0)
    throw new CommandError(`${path} is empty. Give an initrd, or leave --initrd out.`);
}

/** The offset behind the archive's trailer. */
function archiveEnd(path: string, bytes: Uint8Array, start: number): number {
  const text = new TextDecoder("latin1");
  for (let at = start; ;) {
    if (at + headerBytes > bytes.length) throw cutShort(path, at, bytes);
    if (!isCpio(bytes, at)) {
      throw new CommandError(
        `${path} is damaged: at offset 0x${at.toString(16)} expected the header of a cpio member ("070701"), found ${hex(bytes.subarray(at, at + 6))}.`,
      );
    }
    const field = (index: number): number => {
      const digits = text.decode(bytes.subarray(at + 6 + index * 8, at + 14 + index * 8));
      if (/^[0-9a-f]{8}$/iu.test(digits)) return Number.parseInt(digits, 16);
      throw new CommandError(
        `${path} is damaged: at offset 0x${(at + 6 + index * 8).toString(16)} expected eight hexadecimal digits, found "${digits}".`,
      );
    };
    const dataBytes = field(6);
    const nameBytes = field(11);
    const dataStart = align4(at - start + headerBytes + nameBytes) + start;
    const next = dataStart + align4(dataBytes);
    if (dataStart + dataBytes > bytes.length) throw cutShort(path, at, bytes);
    const nameStart = at + headerBytes;
    const name = text.decode(bytes.subarray(nameStart, nameStart + Math.max(nameBytes - 1, 0)));
    if (name === trailer) return next;
    at = next;
  }
}

function isCpio(bytes: Uint8Array, at: number): boolean {
  return (
    has(bytes, at, [0x30, 0x37, 0x30, 0x37, 0x30]) && [0x31, 0x32].includes(bytes[at + 5] ?? 0)
  );
}

function has(bytes: Uint8Array, at: number, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[at + index] === byte);
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}

function cutShort(path: string, at: number, bytes: Uint8Array): CommandError {
  return new CommandError(
    `${path} is cut short: the cpio member at offset 0x${at.toString(16)} ends behind the file's ${bytes.length} bytes. Copy or make it again.`,
  );
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
