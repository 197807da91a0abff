/**
 * Exceptions of programs: page faults that the kernel resolves, and signals for the rest.
 *
 * Linux, arch/x86/kernel/traps.c and arch/x86/mm/fault.c. Vectors: Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference".
 */
import {
  BUS_ADRALN,
  BUS_ADRERR,
  FPE_FLTDIV,
  FPE_FLTINV,
  FPE_FLTOVF,
  FPE_FLTRES,
  FPE_FLTUND,
  FPE_INTDIV,
  ILL_ILLOPN,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGSEGV,
  SIGTRAP,
  SI_KERNEL,
  TRAP_BRKPT,
  TRAP_TRACE,
} from "../abi/signals.ts";
import { USER_END } from "../abi/memory.ts";
import type { AccessKind } from "./address-space.ts";
import { endProcess } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import { forceSignal } from "./signal-sending.ts";
import type { Thread } from "./thread.ts";

const DEBUG = 1;
const BREAKPOINT = 3;
const OVERFLOW = 4;
const PAGE_FAULT = 14;
/** Bits of a page fault's error code. Intel SDM Vol. 3A §4.7, "Page-Fault Exceptions". */
const ERROR_WRITE = 0x2;
const ERROR_FETCH = 0x10;
const INT_N_BYTES = 2;

/** An exception that the processor raised in the running thread. */
export function handleException(
  kernel: Kernel,
  thread: Thread,
  vector: number,
  errorCode: number,
  linear: number,
): void {
  if (vector === PAGE_FAULT) {
    handlePageFault(kernel, thread, errorCode, linear);
    return;
  }
  const { signal, code } = signalFor(kernel, vector);
  // The address is that of the instruction where one is at fault; #GP and its relatives tell none.
  const address = code === SI_KERNEL ? 0 : kernel.cpu.rip;
  forceSignal(thread, {
    signal,
    code,
    linear: address,
    trap: { vector, errorCode, linear: 0 },
  });
}

function signalFor(kernel: Kernel, vector: number): { signal: number; code: number } {
  switch (vector) {
    case 0:
      return { signal: SIGFPE, code: FPE_INTDIV };
    case DEBUG:
      return { signal: SIGTRAP, code: TRAP_TRACE };
    case BREAKPOINT:
      return { signal: SIGTRAP, code: SI_KERNEL };
    case 6:
      return { signal: SIGILL, code: ILL_ILLOPN };
    case 11:
    case 12:
      return { signal: SIGBUS, code: SI_KERNEL };
    case 16:
      return { signal: SIGFPE, code: floatingPointCode(kernel.cpu.x87Pending) };
    case 17:
      return { signal: SIGBUS, code: BUS_ADRALN };
    case 19:
      return { signal: SIGFPE, code: floatingPointCode(kernel.cpu.sseExceptions) };
    default:
      return { signal: SIGSEGV, code: SI_KERNEL };
  }
}

/** Which unmasked floating-point exception: flags IE 0, DE 1, ZE 2, OE 3, UE 4, PE 5. */
function floatingPointCode(flags: number): number {
  if ((flags & 0x01) !== 0) return FPE_FLTINV;
  if ((flags & 0x04) !== 0) return FPE_FLTDIV;
  if ((flags & 0x08) !== 0) return FPE_FLTOVF;
  if ((flags & 0x12) !== 0) return FPE_FLTUND;
  return FPE_FLTRES;
}

function handlePageFault(kernel: Kernel, thread: Thread, errorCode: number, linear: number): void {
  const { space } = thread.process.running;
  const access: AccessKind =
    (errorCode & ERROR_FETCH) !== 0
      ? "execute"
      : (errorCode & ERROR_WRITE) !== 0
        ? "write"
        : "read";
  const result = linear < USER_END ? space.fault(linear, access) : "unmapped";
  if (result === "resolved") return;
  if (result === "out-of-memory") {
    killForMemory(kernel, thread);
    return;
  }
  kernel.counts.faultsSignalled++;
  const trap = { vector: PAGE_FAULT, errorCode, linear };
  if (result === "beyond-file") {
    forceSignal(thread, { signal: SIGBUS, code: BUS_ADRERR, linear, trap });
  } else {
    const code = result === "forbidden" ? SEGV_ACCERR : SEGV_MAPERR;
    forceSignal(thread, { signal: SIGSEGV, code, linear, trap });
  }
}

/** The memory limit is reached: the process that wanted more ends, as under a control group's out-of-memory killer. */
export function killForMemory(kernel: Kernel, thread: Thread): void {
  thread.process.group.oomKills++;
  kernel.noteDeath(thread, { signal: SIGKILL, code: SI_KERNEL });
  endProcess(kernel, thread.process, SIGKILL);
}

/** INT n in a program. Only INT3 and INTO may be used there; the rest is a general protection fault. */
export function handleSoftwareInterrupt(kernel: Kernel, thread: Thread, vector: number): void {
  if (vector === BREAKPOINT) {
    const trap = { vector, errorCode: 0, linear: 0 };
    forceSignal(thread, { signal: SIGTRAP, code: SI_KERNEL, trap });
    return;
  }
  if (vector === DEBUG) {
    forceSignal(thread, { signal: SIGTRAP, code: TRAP_BRKPT, linear: kernel.cpu.rip });
    return;
  }
  if (vector !== OVERFLOW) kernel.cpu.rip -= INT_N_BYTES;
  const trap = { vector: 13, errorCode: vector * 8 + 2, linear: 0 };
  forceSignal(thread, { signal: SIGSEGV, code: SI_KERNEL, trap });
}
