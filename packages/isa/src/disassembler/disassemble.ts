/**
 * The disassembler of the whole table, made when it is first asked for.
 */
import { wholeDecoder } from "../decoder/decode.ts";
import {
  disassemblerFor,
  type DisassembledLine,
  type DisassembleOptions,
  type Disassembler,
} from "./disassembler.ts";

let disassembler: Disassembler | undefined;

/** Every byte of `bytes` in order: as instructions in Intel syntax, or `db` one at a time where there is none. */
export function disassemble(
  bytes: Uint8Array,
  options?: DisassembleOptions,
): IterableIterator<DisassembledLine> {
  disassembler ??= disassemblerFor(wholeDecoder());
  return disassembler.disassemble(bytes, options);
}
