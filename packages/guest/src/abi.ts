/**
 * The constants that the guest's kernel and programs share with their host, as abi/ringside.h has them.
 */

/** Types of console frames. Those from 0x81 go from the host to the guest. */
export const frameTypes = {
  /** Bytes of the program's standard output. */
  stdout: 1,
  /** Bytes of the program's standard error. */
  stderr: 2,
  /** 4 bytes, little-endian: the Linux wait status of the program. The guest powers off next. */
  exit: 3,
  /** Nobody will read further input; the host may stop sending. */
  stdinClosed: 4,
  /** UTF-8 text: why the program could not be started. An `exit` frame follows. */
  message: 5,
  /** Bytes for the program's standard input. */
  stdin: 0x81,
  /** The program's standard input has ended. */
  stdinEnd: 0x82,
} as const;

/** First byte of every frame. */
export const frameMagic = 0xf5;
/** Magic, type, and payload length (2 bytes, little-endian). */
export const frameHeaderBytes = 4;
/** A frame carries at most this much. */
export const framePayloadMaxBytes = 4096;

/**
 * Identifiers of marks. A mark is the 8-byte NOP `0f 1f 84 00 disp32` (`nopl disp32(%rax,%rax,1)`) with
 * `disp32 = markBase | id`; it does nothing on every processor and in every ring.
 */
export const marks = {
  /** Set-up is over, the first N operations follow. */
  benchmarkStart: 1,
  /** The first (cold) N operations are done. */
  benchmarkColdEnd: 2,
  /** The second N operations are done. */
  benchmarkEnd: 3,
  /** This and all above are free for tests. */
  user: 0x100,
} as const;

export const markBase = 0x5249_0000;

/** I/O ports that the guest uses by name. */
export const ports = {
  /** A 32-bit write ends the machine with that value. */
  exit: 0xf4,
  /** Kernel log, panic text, output of the nanobenchmark kernel; a byte per write. */
  debugConsole: 0xe9,
  /** First port of the 16550 that is the console. */
  console: 0x3f8,
} as const;

/** Values that guests write to the exit port. */
export const exitValues = {
  powerOff: 0,
  /** The kernel gave up; the debug console says why. */
  panic: 1,
} as const;

/** Files that tell the guest's `/init` what to run. */
export const paths = {
  init: "/init",
  /** Strings, each followed by a NUL byte. */
  argv: "/ringside/argv",
  /** Strings of the form `NAME=value`, each followed by a NUL byte. */
  envp: "/ringside/envp",
  /** Optional: a path, without a terminator. */
  cwd: "/ringside/cwd",
  /** When it exists, the program gets the console itself, as a terminal and without frames. */
  raw: "/ringside/raw",
} as const;
