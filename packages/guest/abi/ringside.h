/*
 * ringside.h: what the guest kernel, the guest programs and the host agree on.
 *
 * Everything here is plain preprocessor text, so that C, assembly and a script can read it.
 * src/abi.ts is the same list for TypeScript, and a test compares the two.
 */
#ifndef RINGSIDE_H
#define RINGSIDE_H

/* Console frames: magic, type (1 byte), payload length (2 bytes, little-endian), payload.
 * A frame is written by one write(), and the kernel never interleaves two writes. */
#define RINGSIDE_FRAME_MAGIC 0xf5
#define RINGSIDE_FRAME_HEADER 4
#define RINGSIDE_FRAME_PAYLOAD_MAX 4096

/* Guest to host. */
#define RINGSIDE_FRAME_STDOUT 1
#define RINGSIDE_FRAME_STDERR 2
#define RINGSIDE_FRAME_EXIT 3         /* 4 bytes, little-endian: Linux wait status of the program */
#define RINGSIDE_FRAME_STDIN_CLOSED 4 /* nobody will read further input */
#define RINGSIDE_FRAME_MESSAGE 5      /* why the program could not be started, as text */

/* Host to guest. */
#define RINGSIDE_FRAME_STDIN 0x81
#define RINGSIDE_FRAME_STDIN_END 0x82

/* A mark is the 8-byte NOP 0f 1f 84 00 disp32, legal in every ring; disp32 names the mark. */
#define RINGSIDE_MARK_BASE 0x52490000
#define RINGSIDE_MARK_BENCHMARK_START 1
#define RINGSIDE_MARK_BENCHMARK_COLD_END 2
#define RINGSIDE_MARK_BENCHMARK_END 3
#define RINGSIDE_MARK_USER 0x100 /* this id and those above are free for tests */

/* Ports. */
#define RINGSIDE_PORT_EXIT 0xf4          /* a 32-bit write ends the machine with that value */
#define RINGSIDE_PORT_DEBUG_CONSOLE 0xe9 /* kernel log, panic text, output of the nano kernel */
#define RINGSIDE_PORT_CONSOLE 0x3f8      /* the 16550 that is the console */

/* Values that are written to the exit port. */
#define RINGSIDE_EXIT_POWER_OFF 0
#define RINGSIDE_EXIT_PANIC 1

/* Files that tell /init what to run. */
#define RINGSIDE_PATH_INIT "/init"
#define RINGSIDE_PATH_ARGV "/ringside/argv" /* NUL-terminated strings */
#define RINGSIDE_PATH_ENVP "/ringside/envp" /* NUL-terminated strings */
#define RINGSIDE_PATH_CWD "/ringside/cwd"   /* optional: a path without a terminator */
#define RINGSIDE_PATH_RAW "/ringside/raw"   /* when present: the program gets the bare console */

#ifndef __ASSEMBLER__
#define RINGSIDE_MARK(id)                                                                          \
    __asm__ volatile(".byte 0x0f,0x1f,0x84,0x00; .long %c0" ::"i"(RINGSIDE_MARK_BASE | (id)) : "memory")
#endif

#endif
