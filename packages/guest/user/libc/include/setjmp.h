/* Jumps to a place in a calling function. Register order: rbx rbp r12 r13 r14 r15 rsp rip. */
#pragma once

typedef unsigned long jmp_buf[8];

int setjmp(jmp_buf environment) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf environment, int value);

/* The same with the signal mask, which a handler that jumps away must restore. */
typedef struct {
    jmp_buf registers;
    unsigned long mask;
} sigjmp_buf[1];

/* A macro, because the frame that calls setjmp must still exist at the jump. */
#define sigsetjmp(environment, save_mask) \
    (__sigsetjmp_save((environment), (save_mask)), setjmp((environment)->registers))
void __sigsetjmp_save(sigjmp_buf environment, int save_mask);
_Noreturn void siglongjmp(sigjmp_buf environment, int value);
