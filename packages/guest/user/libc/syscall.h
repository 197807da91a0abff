/*
 * System calls from C (Linux x86-64): number in rax, arguments in rdi rsi rdx r10 r8 r9, result in rax, where
 * -4095..-1 is a negated error number. SYSCALL itself overwrites rcx and r11.
 */
#pragma once
#include <sys/syscall.h>

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long syscall3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static inline long syscall4(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

/* Turns the kernel's result into C's: -1 with errno set, or the value. */
long __result(long kernel_result);

/* CALL(close, fd): the call of that name with up to three arguments, which may be pointers; errno is set. */
#define CALL(name, ...) CALL_(name, ##__VA_ARGS__, 0, 0, 0)
#define CALL_(name, a, b, c, ...) __result(syscall3(SYS_##name, (long)(a), (long)(b), (long)(c)))
#define CALL4(name, a, b, c, d) __result(syscall4(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d)))
