/*
 * fpu.c: x87 and SSE state of programs. The kernel itself uses neither, so the registers hold the
 * running program's state until another one runs.
 */
#include "native.h"

void machine_fpu_reset(u8 *state) {
    memzero(state, 512);
    *(u16 *)state = 0x37f;         /* x87: all exceptions masked, 64-bit precision */
    *(u32 *)(state + 24) = 0x1f80; /* MXCSR: all exceptions masked */
    *(u32 *)(state + 28) = 0xffff;
}

void machine_fpu_save(u8 *state) { __asm__ volatile("fxsave64 (%0)" ::"r"(state) : "memory"); }
void machine_fpu_load(const u8 *state) { __asm__ volatile("fxrstor64 (%0)" ::"r"(state) : "memory"); }

/* FXRSTOR faults on reserved bits of MXCSR. */
void machine_fpu_sanitize(u8 *state) { *(u32 *)(state + 24) &= 0xffbf; }
