/**
 * The ELF inside a bzImage, for entries that need no decompressor in the guest (PVH).
 *
 * Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header" (payload_offset, payload_length). The payload is
 * compressed in one of the formats below; all but gzip, which has it in its own trailer, are followed by four bytes with
 * the size of what comes out. Libraries are loaded when they are needed.
 */
import { ByteReader } from "../byte-reader.ts";
import { parseBzImage } from "../bzimage.ts";
import { isElf } from "../elf.ts";
import { ImageError } from "../image-error.ts";
import { isGzip, unpackGzip } from "./gzip.ts";
import { isLz4Legacy, unpackLz4Legacy } from "./lz4.ts";
import { isXz, unpackXz } from "./xz.ts";

const sizeBytes = 4;
/** Far more than any kernel; a limit for what a damaged size can make the host allot. */
const maximumBytes = 512 << 20;

interface Format {
  readonly name: string;
  readonly recognizes: (packed: Uint8Array) => boolean;
  /** Bytes behind the compressed data. */
  readonly trailerBytes: number;
  readonly unpack: (packed: Uint8Array, outputBytes: number) => Promise<Uint8Array> | Uint8Array;
}

const formats: readonly Format[] = [
  { name: "gzip", recognizes: isGzip, trailerBytes: 0, unpack: unpackGzip },
  { name: "xz", recognizes: isXz, trailerBytes: sizeBytes, unpack: unpackXz },
  { name: "lz4", recognizes: isLz4Legacy, trailerBytes: sizeBytes, unpack: unpackLz4Legacy },
  {
    name: "zstd",
    recognizes: (packed) => [0x28, 0xb5, 0x2f, 0xfd].every((byte, at) => packed[at] === byte),
    trailerBytes: sizeBytes,
    async unpack(packed, outputBytes) {
      const { decompress } = await import("fzstd");
      return decompress(packed, incomparable(new Uint8Array(outputBytes)));
    },
  },
];

/**
 * Decompresses the kernel of a bzImage.
 *
 * @throws {ImageError} when the file is no bzImage, is damaged, or is compressed with something else than gzip, xz, lz4
 *   or zstd.
 */
export async function unpackKernel(image: Uint8Array): Promise<Uint8Array> {
  const { code, codeOffset, payload } = parseBzImage(image);
  const start = codeOffset + payload.offset;
  const file = new ByteReader("bzImage", image);
  const packed = code.subarray(payload.offset, payload.offset + payload.lengthBytes);
  if (isElf(packed)) return packed;
  const format = formats.find(({ recognizes }) => recognizes(packed));
  if (format === undefined) {
    throw file.error(
      start,
      `a kernel packed with ${formats.map(({ name }) => name).join(", ")}`,
      packed.length === 0
        ? "nothing"
        : `the bytes ${Array.from(packed.subarray(0, 4), (byte) => byte.toString(16)).join(" ")}`,
    );
  }
  const end = start + packed.length;
  const outputBytes = file.u32(end - sizeBytes, "the size of the unpacked kernel");
  if (outputBytes > maximumBytes) {
    throw file.error(
      end - sizeBytes,
      `a kernel of at most ${maximumBytes} bytes`,
      `${outputBytes}`,
    );
  }
  let kernel: Uint8Array;
  try {
    kernel = await format.unpack(
      packed.subarray(0, packed.length - format.trailerBytes),
      outputBytes,
    );
  } catch (cause) {
    throw damaged(
      start,
      format.name,
      cause instanceof Error ? cause.message : String(cause),
      cause,
    );
  }
  if (kernel.length !== outputBytes) {
    throw damaged(start, format.name, `${kernel.length} bytes instead of ${outputBytes}`);
  }
  return kernel;
}

/** The library asks whether its output equals 1, for which an array would spell out all its bytes first. */
function incomparable(output: Uint8Array): Uint8Array {
  return Object.defineProperty(output, Symbol.toPrimitive, { value: () => Number.NaN });
}

function damaged(offset: number, format: string, why: string, cause?: unknown): ImageError {
  const error = new ImageError(
    "bzImage",
    offset,
    `a kernel packed with ${format}`,
    `damage: ${why.replace(/\.$/u, "")}`,
  );
  error.cause = cause;
  return error;
}
