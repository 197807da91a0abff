/*
 * sensitive.c: instructions that show the processor's state without being privileged. A kernel must see
 * its own state.
 */
#include "selftest.h"

/* Without the accessed bit; bits 19:16 are undefined (Intel SDM Vol. 2A, "LAR—Load Access Rights Byte"). */
#define RIGHTS 0xf0fe00ull

static u64 loaded_limit(u16 selector, u64 *zero) {
    u32 limit = 0;
    u8 z;
    __asm__ volatile("lsl %2, %0\n setz %1" : "+r"(limit), "=q"(z) : "r"((u32)selector) : "cc");
    *zero = z;
    return limit;
}

static u64 access_rights(u16 selector, u64 *zero) {
    u32 rights = 0;
    u8 z;
    __asm__ volatile("lar %2, %0\n setz %1" : "+r"(rights), "=q"(z) : "r"((u32)selector) : "cc");
    *zero = z;
    return rights;
}

static u64 verifies(u16 selector, bool write) {
    u8 z;
    if (write) __asm__ volatile("verw %1\n setz %0" : "=q"(z) : "r"(selector) : "cc");
    else __asm__ volatile("verr %1\n setz %0" : "=q"(z) : "r"(selector) : "cc");
    return z;
}

void test_sensitive(void) {
    struct table_register table;
    __asm__ volatile("sgdt %0" : "=m"(table));
    check("sgdt-base", table.base, (u64)gdt);
    check("sgdt-limit", table.limit, sizeof gdt - 1);
    __asm__ volatile("sidt %0" : "=m"(table));
    check("sidt-base", table.base, (u64)idt);
    check("sidt-limit", table.limit, sizeof idt - 1);
    u32 wide;
    u16 narrow;
    u64 full;
    __asm__ volatile("str %0" : "=r"(wide));
    check("str", wide, TSS_SELECTOR);
    __asm__ volatile("lldt %w0" ::"r"(0));
    __asm__ volatile("sldt %0" : "=r"(wide));
    check("sldt", wide, 0);
    __asm__ volatile("smsw %0" : "=r"(narrow));
    check("smsw", narrow, read_cr0() & 0xffff);
    write_cr0(read_cr0() | CR0_TS);
    __asm__ volatile("smsw %0" : "=r"(full));
    check("smsw-with-ts", full & CR0_TS, CR0_TS);
    __asm__ volatile("lmsw %w0" ::"r"(narrow));
    check("lmsw-clears-ts", read_cr0() & CR0_TS, 0);
    __asm__ volatile("lmsw %w0" ::"r"(narrow & ~1));
    check("lmsw-cannot-clear-pe", read_cr0() & 1, 1);

    check("cs", ({ u32 s; __asm__ volatile("mov %%cs, %0" : "=r"(s)); s; }), KERNEL_CS);
    check("ss", ({ u32 s; __asm__ volatile("mov %%ss, %0" : "=r"(s)); s; }), KERNEL_SS);
    __asm__ volatile("push %%fs\n pop %0" : "=r"(full));
    check("push-fs", full, 0);

    u64 zero;
    u64 rights = access_rights(KERNEL_CS, &zero);
    check("lar-of-code", rights & RIGHTS, 0xa09a00);
    check("lar-of-code-valid", zero, 1);
    access_rights(0, &zero);
    check("lar-of-null", zero, 0);
    access_rights(0x1f8, &zero);
    check("lar-beyond", zero, 0);
    rights = access_rights(USER_SS, &zero);
    check("lar-of-user-data", rights & RIGHTS, 0xc0f200);
    check("lsl-of-data", loaded_limit(KERNEL_SS, &zero), 0xffffffff);
    check("lsl-of-data-valid", zero, 1);
    loaded_limit(TSS_SELECTOR, &zero);
    check("lsl-of-tss-valid", zero, 1);
    check("verr-of-code", verifies(KERNEL_CS, false), 1);
    check("verw-of-code", verifies(KERNEL_CS, true), 0);
    check("verw-of-data", verifies(KERNEL_SS, true), 1);
    check("verr-of-null", verifies(0, false), 0);
    check("verr-of-tss", verifies(TSS_SELECTOR, false), 0);
    check("verr-beyond-level", verifies(KERNEL_SS | 3, false), 0);
}
