/* The x87 unit: its arithmetic in 80 bits, its control word, and that it belongs to a process. */
#include "test.h"
#include <sys/time.h>

static volatile int handled;

static void clobber(int signal)
{
    (void)signal;
    __asm__ volatile("fninit; fldpi; fldl2e; fmulp; fstp %%st(0)" : : : "st");
    handled++;
}

/* Prints the ten bytes of an extended value. */
static void show_extended(const char *what, long double value)
{
    unsigned char bytes[16] = { 0 };
    memcpy(bytes, &value, 10);
    printf("%s: ", what);
    for (int i = 9; i >= 0; i--)
        printf("%02x", bytes[i]);
    printf("\n");
}

/* Keeps four values in the register stack while time passes, and gives the number that changed. */
static int changed_after(long rounds)
{
    double values[4];
    __asm__ volatile("fldpi; fldl2e; fld1; fldln2\n"
                     "1: sub $1, %0; jnz 1b\n"
                     "fstpl (%1); fstpl 8(%1); fstpl 16(%1); fstpl 24(%1)"
                     : "+r"(rounds)
                     : "r"(values)
                     : "memory", "cc", "st", "st(1)", "st(2)", "st(3)");
    return (values[0] != 0.6931471805599453) + (values[1] != 1) + (values[2] != 1.4426950408889634) +
           (values[3] != 3.141592653589793);
}

int main(void)
{
    volatile long double one = 1, three = 3, third, big = 1e300L, tiny;
    unsigned short control;

    __asm__("fnstcw %0" : "=m"(control));
    printf("control word %#x\n", control);
    third = one / three;
    show_extended("1/3", third);
    show_extended("1/3*3", third * three);
    show_extended("1e300 squared", big * big);
    tiny = one / (big * big) / (big * big);
    show_extended("a tiny one", tiny);
    show_extended("sqrt(2)", __builtin_sqrtl(2.0L));
    show_extended("-7 mod 3", (long double)(-7.0L - (long)(-7.0L / 3) * 3));
    printf("to integers: %ld %ld %d\n", (long)(third * 1e18L), (long)(-2.9L * one), (int)(1e5L * one));
    printf("from integers: %.3f %.1f\n", (double)((long double)-123456789 / 1000),
           (double)(long double)(1L << 40));
    printf("compare: %d %d %d\n", third < one, three < one, third == third);

    long double result;
    __asm__("fldpi; fldl2t; faddp; fstpt %0" : "=m"(result));
    show_extended("pi + log2(10)", result);
    __asm__("fldlg2; fld1; fsubrp; fabs; fchs; fstpt %0" : "=m"(result));
    show_extended("-|1 - log10(2)|", result);
    __asm__("fld1; fldpi; fxch; fscale; fstp %%st(1); fstpt %0" : "=m"(result) : : "st", "st(1)");
    show_extended("1 scaled by pi", result);

    /* Rounding down, to nearest, up. */
    volatile double half = 2.5;
    for (int mode = 0; mode < 4; mode++) {
        unsigned short rounding = (unsigned short)(0x37f | mode << 10);
        long rounded;
        __asm__("fldcw %1; fldl %2; fistpll %0; fldcw %3"
                : "=m"(rounded)
                : "m"(rounding), "m"(half), "m"(control));
        printf("mode %d rounds 2.5 to %ld\n", mode, rounded);
    }

    unsigned short status;
    __asm__ volatile("fld1; fldz; fdivrp; fstp %%st(0); fnstsw %%ax; mov %%ax, %0; fnclex"
                     : "=m"(status)
                     :
                     : "rax", "st", "st(1)");
    printf("1/0 sets %#x\n", status & 0x3f);
    __asm__ volatile("fldz; fldz; fdivp; fstp %%st(0); fnstsw %%ax; mov %%ax, %0; fnclex"
                     : "=m"(status)
                     :
                     : "rax", "st", "st(1)");
    printf("0/0 sets %#x\n", status & 0x3f);

    /* Processes and handlers. */
    pid_t child = fork();
    if (child == 0)
        _exit(changed_after(5000000));
    int changed = changed_after(5000000);
    show_end("in a child", child);
    struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { { 0, 0 }, { 0, 0 } };
    signal(SIGALRM, clobber);
    setitimer(ITIMER_REAL, &often, 0);
    while (handled < 3)
        changed += changed_after(500000);
    setitimer(ITIMER_REAL, &off, 0);
    printf("%d changed\n", changed);
    return verdict() || changed;
}
