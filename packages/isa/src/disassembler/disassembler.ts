/**
 * Bytes as text, by the rows of a table.
 */
import {
  isDecodeFault,
  type CodeMode,
  type Decoded,
  type Decoder,
  type Form,
} from "../decoder/decoded.ts";
import { formatInstruction, hasUsualSize, textKey } from "./format.ts";

/** A piece of disassembled code. */
export interface DisassembledLine {
  readonly address: bigint;
  readonly bytes: Uint8Array;
  /** `mov rax, qword ptr [rbx+0x10]`, or `db 0x06` for a byte that begins no instruction. */
  readonly text: string;
  /** Absent for a byte that begins no instruction. */
  readonly decoded?: Decoded;
}

export interface DisassembleOptions {
  /** Linear address of the first byte; default 0. */
  readonly address?: bigint;
  /** Default 64. */
  readonly mode?: CodeMode;
}

export interface Disassembler {
  /** Text of one instruction that was decoded at `address`. */
  format(decoded: Decoded, address: bigint): string;
  /** Every byte of `bytes` in order: as instructions, or one at a time as data. */
  disassemble(bytes: Uint8Array, options?: DisassembleOptions): IterableIterator<DisassembledLine>;
}

/** The disassembler of a decoder's instructions. */
export function disassemblerFor(decoder: Decoder): Disassembler {
  let sizes: Map<string, Set<number | undefined>> | undefined;
  const sizeMatters = (form: Form): boolean => {
    if (hasUsualSize(form)) return false;
    sizes ??= collectSizes(decoder.forms);
    return (sizes.get(textKey(form))?.size ?? 0) > 1;
  };
  const format = (decoded: Decoded, address: bigint): string =>
    formatInstruction(decoded, address, sizeMatters(decoded.form));

  function* disassemble(
    bytes: Uint8Array,
    options: DisassembleOptions = {},
  ): IterableIterator<DisassembledLine> {
    const { address = 0n, mode = 64 } = options;
    for (let offset = 0; offset < bytes.length;) {
      const at = address + BigInt(offset);
      const decoded = decoder.decode(bytes, offset, bytes.length - offset, { mode });
      if (isDecodeFault(decoded)) {
        const byte = bytes[offset] ?? 0;
        yield {
          address: at,
          bytes: bytes.slice(offset, offset + 1),
          text: `db 0x${byte.toString(16).padStart(2, "0")}`,
        };
        offset += 1;
      } else {
        const end = offset + decoded.lengthBytes;
        yield { address: at, bytes: bytes.slice(offset, end), text: format(decoded, at), decoded };
        offset = end;
      }
    }
  }

  return { format, disassemble };
}

/** Operand sizes of the forms that are written alike. */
function collectSizes(forms: readonly Form[]): Map<string, Set<number | undefined>> {
  const sizes = new Map<string, Set<number | undefined>>();
  for (const form of forms) {
    const key = textKey(form);
    const known = sizes.get(key);
    if (known === undefined) sizes.set(key, new Set([form.operandSize]));
    else known.add(form.operandSize);
  }
  return sizes;
}
