/**
 * The frame that a signal handler finds on its stack, and that rt_sigreturn takes back.
 *
 * Linux, arch/x86/include/asm/sigframe.h (struct rt_sigframe), arch/x86/include/uapi/asm/sigcontext.h,
 * include/uapi/asm-generic/ucontext.h and siginfo.h. From the handler's RSP upwards:
 *
 *      0  return address: the restorer
 *      8  ucontext: flags 8, link 8, stack_t 24 | 40 sigcontext 256 | 296 sigset_t 8
 *    312  siginfo_t 128
 *    440  (padding) FXSAVE image, 512 bytes, 64-byte aligned
 *
 * sigcontext: R8-R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, EFLAGS (8 each), CS, GS, FS, SS (2 each),
 * error code, trap number, old mask, CR2, pointer to the FXSAVE image (8 each), 64 bytes reserved.
 */
import { SIGCHLD, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SI_TIMER } from "../abi/signals.ts";
import { RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, type Cpu } from "./cpu.ts";
import type { SignalInfo } from "./signals.ts";
import { SignalSet } from "./signal-set.ts";
import type { AlternateStack } from "./thread.ts";

export const FRAME_BYTES = 440;
export const FXSAVE_BYTES = 512;
/** Offset of the ucontext: what RDX holds in the handler. */
export const UCONTEXT_OFFSET = 8;
/** Offset of the siginfo_t: what RSI holds in the handler. */
export const SIGINFO_OFFSET = 312;
export const SIGINFO_BYTES = 128;
const STACK_OFFSET = UCONTEXT_OFFSET + 16;
const CONTEXT_OFFSET = UCONTEXT_OFFSET + 40;
const MASK_OFFSET = UCONTEXT_OFFSET + 296;
const RIP_INDEX = 16;
const FLAGS_INDEX = 17;
const SELECTORS_OFFSET = CONTEXT_OFFSET + 18 * 8;
const ERROR_OFFSET = SELECTORS_OFFSET + 8;
const FPSTATE_OFFSET = ERROR_OFFSET + 32;

/** UC_SIGCONTEXT_SS and UC_STRICT_RESTORE_SS: SS in the context is meant. */
const UC_FLAGS = 0x6;
/** General registers in the order of sigcontext. */
const CONTEXT_ORDER = [8, 9, 10, 11, 12, 13, 14, 15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP];
/** Flags that rt_sigreturn may change: CF PF AF ZF SF TF DF OF RF AC. Linux, arch/x86/kernel/signal_64.c (FIX_EFLAGS). */
const RESTORED_FLAGS = 0x5_0dd5;
export const USER_CODE_SELECTOR = 0x33;
export const USER_DATA_SELECTOR = 0x2b;

/** The frame being made. One serves all: it is copied to the stack before the next one begins. */
const frameBytes = new Uint8Array(FRAME_BYTES);
const frameView = new DataView(frameBytes.buffer);
const faultSignals = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP];

function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000) >>> 0, true);
}

/** siginfo_t, 128 bytes. */
export function encodeSignalInfo(info: SignalInfo): Uint8Array {
  const bytes = new Uint8Array(SIGINFO_BYTES);
  writeSignalInfo(new DataView(bytes.buffer), 0, info);
  return bytes;
}

/** Which union member applies follows from the signal and the code, as in Linux's siginfo_layout. */
function writeSignalInfo(view: DataView, at: number, info: SignalInfo): void {
  view.setInt32(at, info.signal, true);
  view.setInt32(at + 8, info.code, true);
  if (info.code > 0 && faultSignals.includes(info.signal)) {
    setU64(view, at + 16, info.linear ?? 0);
  } else if (info.code === SI_TIMER) {
    view.setInt32(at + 16, info.timer ?? 0, true);
  } else {
    view.setInt32(at + 16, info.process ?? 0, true);
    view.setUint32(at + 20, info.user ?? 0, true);
  }
  if (info.signal === SIGCHLD && info.code > 0) {
    view.setInt32(at + 24, info.status ?? 0, true);
  } else if (info.value !== undefined) {
    view.setUint32(at + 24, info.value[0], true);
    view.setUint32(at + 28, info.value[1], true);
  }
}

/** Everything of the frame below the FXSAVE image; valid until the next call. */
export function encodeFrame(
  cpu: Cpu,
  info: SignalInfo,
  options: {
    restorer: number;
    mask: SignalSet;
    /** As uc_stack tells it. */
    stack: AlternateStack | undefined;
    stackFlags: number;
    /** Linear address of the FXSAVE image. */
    image: number;
  },
): Uint8Array {
  const view = frameView;
  frameBytes.fill(0);
  setU64(view, 0, options.restorer);
  setU64(view, UCONTEXT_OFFSET, UC_FLAGS);
  setU64(view, STACK_OFFSET, options.stack?.linear ?? 0);
  view.setUint32(STACK_OFFSET + 8, options.stackFlags >>> 0, true);
  setU64(view, STACK_OFFSET + 16, options.stack?.sizeBytes ?? 0);
  let at = CONTEXT_OFFSET;
  for (const register of CONTEXT_ORDER) {
    view.setUint32(at, cpu.low(register), true);
    view.setUint32(at + 4, cpu.high(register), true);
    at += 8;
  }
  const [ripLow, ripHigh] = cpu.ripPair;
  view.setUint32(CONTEXT_OFFSET + RIP_INDEX * 8, ripLow, true);
  view.setUint32(CONTEXT_OFFSET + RIP_INDEX * 8 + 4, ripHigh, true);
  view.setUint32(CONTEXT_OFFSET + FLAGS_INDEX * 8, cpu.flags, true);
  view.setUint16(SELECTORS_OFFSET, USER_CODE_SELECTOR, true);
  view.setUint16(SELECTORS_OFFSET + 6, USER_DATA_SELECTOR, true);
  setU64(view, ERROR_OFFSET, info.trap?.errorCode ?? 0);
  setU64(view, ERROR_OFFSET + 8, info.trap?.vector ?? 0);
  view.setUint32(ERROR_OFFSET + 16, options.mask.low >>> 0, true);
  view.setUint32(ERROR_OFFSET + 20, options.mask.high >>> 0, true);
  setU64(view, ERROR_OFFSET + 24, info.trap?.linear ?? 0);
  setU64(view, FPSTATE_OFFSET, options.image);
  view.setUint32(MASK_OFFSET, options.mask.low >>> 0, true);
  view.setUint32(MASK_OFFSET + 4, options.mask.high >>> 0, true);
  writeSignalInfo(view, SIGINFO_OFFSET, info);
  return frameBytes;
}

/** What rt_sigreturn reads back. */
export interface RestoredFrame {
  readonly mask: SignalSet;
  readonly stack: AlternateStack;
  /** Linear address of the FXSAVE image; 0: none. */
  readonly image: number;
}

/** Loads registers from a frame. `frame` begins at its return address and has {@link FRAME_BYTES} bytes. */
export function restoreFrame(cpu: Cpu, frame: Uint8Array): RestoredFrame {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const number = (offset: number) =>
    view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true);
  let at = CONTEXT_OFFSET;
  for (const register of CONTEXT_ORDER) {
    cpu.setPair(register, view.getUint32(at, true), view.getUint32(at + 4, true));
    at += 8;
  }
  const rip = CONTEXT_OFFSET + RIP_INDEX * 8;
  cpu.setRipPair(view.getUint32(rip, true), view.getUint32(rip + 4, true));
  const flags = view.getUint32(CONTEXT_OFFSET + FLAGS_INDEX * 8, true);
  cpu.flags = ((cpu.flags & ~RESTORED_FLAGS) | (flags & RESTORED_FLAGS)) >>> 0;
  return {
    mask: new SignalSet(view.getInt32(MASK_OFFSET, true), view.getInt32(MASK_OFFSET + 4, true)),
    stack: {
      linear: number(STACK_OFFSET),
      flags: view.getUint32(STACK_OFFSET + 8, true),
      sizeBytes: number(STACK_OFFSET + 16),
    },
    image: number(FPSTATE_OFFSET),
  };
}
