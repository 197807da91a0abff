/*
 * event-path.h: what the ways into event() and back, and into user mode and back, have in common on every machine.
 *
 * For assembler sources. The frame that call_event completes is struct frame of report.h.
 */

/* The vectors whose exceptions come with an error code. Intel SDM Vol. 3A §6.13, "Error Code". */
#define HAS_ERROR_CODE(vector) (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)

/* A stub of 16 bytes for each vector below `count`: error code or 0, then the vector. `arrival` is what comes first. */
.macro vector_stubs count, arrival
vector = 0
    .rept \count
    .balign 16
    \arrival
    .if !HAS_ERROR_CODE(vector)
    pushq $0
    .endif
    pushq $vector
    jmp common
vector = vector + 1
    .endr
.endm

/* event() with the frame in RDI, then the registers as it left them; RSP is at the vector. */
.macro call_event
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    call event
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
.endm

/* What a C function's caller expects back, while user mode runs. */
.macro save_callers
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
.endm

.macro restore_callers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
.endm
