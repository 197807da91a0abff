/**
 * What functions in TypeScript that semantics call see of a processor: the host's memory and the state block in it.
 *
 * Helpers do what is rare and intricate. They take small integers, exchange 64-bit data through the state block, and
 * raise exceptions like semantics do: nothing of the instruction happens after that.
 */
import type { ExceptionName } from "./semantics.ts";

/** One processor, for the length of one call. */
export interface HelperContext {
  /** The host's memory, whole, in four views. */
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
  readonly f64: Float64Array;
  /** Byte offset of the processor's state block in that memory; a multiple of 16. */
  readonly base: number;
  /** Ends the instruction with an exception. The helper returns right after. */
  raise(exception: ExceptionName, errorCode?: number): void;
}

/** A helper; parameters and result are 32-bit integers, signed. */
export type Helper = (cpu: HelperContext, ...parameters: number[]) => number | void;
