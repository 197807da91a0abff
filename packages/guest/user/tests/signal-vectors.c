/* The x87 and SSE registers in a signal's context: a handler sees those of the program and may change them.
 */
#include "test.h"
#include <stdint.h>

/* The FXSAVE image (Intel SDM Vol. 2A, "FXSAVE—Save x87 FPU, MMX Technology, and SSE State"). */
struct image {
    uint16_t control, status;
    uint8_t tags, reserved;
    uint16_t opcode;
    uint64_t instruction, data;
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint64_t significand, exponent;
    } st[8];
    struct {
        uint64_t low, high;
    } xmm[16];
};

static volatile uint64_t seen_low, seen_high, seen_significand, seen_exponent;
static volatile uint32_t seen_mxcsr, seen_control, inside_mxcsr, inside_control;
static volatile int aligned;

static void change(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    struct image *image = c->uc_mcontext.fpregs;
    uint16_t control;
    uint32_t mxcsr;
    (void)signal, (void)info;
    __asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control), "=m"(mxcsr));
    inside_control = control;
    inside_mxcsr = mxcsr;
    aligned = (unsigned long)image % 16 == 0;
    seen_low = image->xmm[5].low;
    seen_high = image->xmm[5].high;
    seen_mxcsr = image->mxcsr;
    seen_control = image->control;
    seen_significand = image->st[0].significand;
    seen_exponent = image->st[0].exponent & 0xffff;
    image->xmm[5].low++;
    image->xmm[9].high = 0x9999;
    image->mxcsr = 0x5f80;
    image->control = 0x77f;
    image->st[0].exponent = 0x4000;
    /* ud2 is two bytes long. */
    c->uc_mcontext.gregs[REG_RIP] += 2;
    /* What the handler itself does to the registers is not what the program finds. */
    __asm__ volatile("pxor %%xmm5, %%xmm5; fldz; fstp %%st(0)" : : : "xmm5", "st");
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = change, .sa_flags = SA_SIGINFO };
    uint64_t five[2] = { 0x1111222233334444, 0x5555666677778888 }, nine[2] = { 1, 2 };
    uint32_t mxcsr = 0x3f80, plain_mxcsr = 0x1f80;
    uint16_t control = 0x27f, plain_control = 0x37f;
    double value = 0;

    sigaction(SIGILL, &action, 0);
    __asm__ volatile(
        "movups %0, %%xmm5; movups %1, %%xmm9; ldmxcsr %2; fldcw %3; fld1\n"
        "ud2\n"
        "fstpl %4; fnstcw %3; stmxcsr %2; movups %%xmm5, %0; movups %%xmm9, %1; ldmxcsr %5; fldcw %6"
        : "+m"(five), "+m"(nine), "+m"(mxcsr), "+m"(control), "=m"(value)
        : "m"(plain_mxcsr), "m"(plain_control)
        : "xmm5", "xmm9", "memory");
    printf("the handler saw xmm5 %lx %lx, MXCSR %#x, control %#x, st0 %lx %lx\n", seen_high, seen_low,
           seen_mxcsr, seen_control, seen_significand, seen_exponent);
    check("the image is aligned", aligned);
    printf("the handler ran with MXCSR %#x, control %#x\n", inside_mxcsr, inside_control);
    printf("the program found xmm5 %lx %lx, xmm9 %lx %lx, MXCSR %#x, control %#x, st0 %.1f\n", five[1],
           five[0], nine[1], nine[0], mxcsr, control, value);
    return verdict();
}
