/**
 * Which exception a signal was, as Linux on x86-64 maps them.
 */
const SIGILL = 4;
export const SIGTRAP = 5;
const SIGBUS = 7;
const SIGFPE = 8;
const SIGSEGV = 11;

/** si_code of a fault without an address, and of INT3: the kernel's own. */
export const SI_KERNEL = 128;
const TRAP_TRACE = 2;
/** si_code values of SIGFPE. */
const FPE_INTDIV = 1;

const DE = 0;
const UD = 6;
const SS = 12;
const GP = 13;
const PF = 14;
const MF = 16;
const AC = 17;
const XM = 19;

/** si_code of SIGBUS for alignment. */
const BUS_ADRALN = 1;

export interface Exception {
  readonly vector: number;
  readonly linear: bigint | undefined;
}

/**
 * The exception behind a signal; undefined when it was the step's own trap.
 *
 * @throws {Error} The signal is none that an instruction should give.
 */
export function exceptionOf(
  signal: number,
  code: number,
  address: bigint,
  isX87: boolean,
): Exception | undefined {
  const at = (vector: number): Exception => ({ vector, linear: undefined });
  if (signal === SIGTRAP && code === TRAP_TRACE) return undefined;
  if (signal === SIGILL) return at(UD);
  if (signal === SIGBUS) return at(code === BUS_ADRALN ? AC : SS);
  if (signal === SIGFPE) return at(code === FPE_INTDIV ? DE : isX87 ? MF : XM);
  if (signal === SIGSEGV) return code === SI_KERNEL ? at(GP) : { vector: PF, linear: address };
  throw new Error(`Signal ${signal} with code ${code} is no exception that is known here.`);
}
