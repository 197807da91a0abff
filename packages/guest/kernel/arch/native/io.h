/* io.h: the privileged instructions, one function each. */
#ifndef IO_H
#define IO_H

#include "types.h"

static inline void out8(u16 port, u8 value) {
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void out32(u16 port, u32 value) {
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static inline u8 in8(u16 port) {
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void out_string(u16 port, const void *bytes, usize count) {
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}

static inline u64 read_msr(u32 msr) {
    u32 low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return low | (u64)high << 32;
}

static inline void write_msr(u32 msr, u64 value) {
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((u32)value), "d"((u32)(value >> 32)));
}

static inline u64 read_tsc(void) {
    u32 low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (u64)high << 32;
}

static inline u64 read_cr0(void) {
    u64 value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static inline void write_cr0(u64 value) { __asm__ volatile("mov %0, %%cr0" ::"r"(value)); }

static inline u64 read_cr2(void) {
    u64 value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

static inline u64 read_cr3(void) {
    u64 value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

static inline void write_cr3(u64 value) {
    __asm__ volatile("mov %0, %%cr3" ::"r"(value) : "memory");
}

static inline u64 read_cr4(void) {
    u64 value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static inline void write_cr4(u64 value) { __asm__ volatile("mov %0, %%cr4" ::"r"(value)); }

static inline void invalidate_page(u64 address) {
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

struct table_register {
    u16 limit;
    u64 base;
} __attribute__((packed));

static inline void load_gdt(const struct table_register *gdt) {
    __asm__ volatile("lgdt %0" ::"m"(*gdt));
}

static inline void load_idt(const struct table_register *idt) {
    __asm__ volatile("lidt %0" ::"m"(*idt));
}

static inline void load_task_register(u16 selector) {
    __asm__ volatile("ltr %0" ::"r"(selector));
}

static inline void cpuid(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d) {
    __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "a"(leaf), "c"(0));
}

#define MSR_APIC_BASE 0x1b
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define EFER_SCE (1u << 0)
#define EFER_NXE (1u << 11)

#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)

#define CR4_PGE (1u << 7)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)

#endif
