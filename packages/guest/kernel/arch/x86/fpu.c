/*
 * fpu.c: x87 and SSE state of programs. The kernel itself uses neither, so the registers hold the
 * running program's state until another one runs.
 */
#include "defs.h"

void machine_fpu_reset(u8 *state) {
    memzero(state, 512);
    *(u16 *)state = 0x37f;         /* x87: all exceptions masked, 64-bit precision */
    *(u32 *)(state + 24) = 0x1f80; /* MXCSR: all exceptions masked */
    *(u32 *)(state + 28) = 0xffff;
}

void machine_fpu_save(u8 *state) { __asm__ volatile("fxsave64 (%0)" ::"r"(state) : "memory"); }
void machine_fpu_load(const u8 *state) { __asm__ volatile("fxrstor64 (%0)" ::"r"(state) : "memory"); }

/* FXRSTOR faults on bits of MXCSR that the processor does not have; FXSAVE tells which it has (Intel
 * SDM Vol. 1 §11.6.6, "Guidelines for Writing to the MXCSR Register"). */
void machine_fpu_sanitize(u8 *state) {
    static u32 mask;
    if (!mask) {
        static u8 sample[512] __attribute__((aligned(16)));
        machine_fpu_save(sample);
        mask = *(u32 *)(sample + 28);
        if (!mask) mask = 0xffbf;
    }
    *(u32 *)(state + 24) &= mask;
}
