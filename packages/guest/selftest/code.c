/*
 * code.c: code that changes: written over by itself and by others, and mapped elsewhere while it runs
 * (Intel SDM Vol. 3A §12.6, "Self-Modifying Code").
 */
#include "selftest.h"

/* mov $value, %eax; ret */
static void write_function(u8 *at, u32 value) {
    volatile u8 *code = at;
    code[0] = 0xb8;
    for (int i = 0; i < 4; i++) code[1 + i] = (u8)(value >> 8 * i);
    code[5] = 0xc3;
}

static u64 call_at(u64 address) {
    u64 result;
    __asm__ volatile("call *%1" : "=a"(result) : "r"(address) : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    return result;
}

static void rewritten(void) {
    u64 at = page_address(0);
    u8 *code = (u8 *)at;
    map_page(0, physical(frames[0]) | PRESENT | WRITABLE);
    write_function(code, 1);
    check("code-first", call_at(at), 1);
    write_function(code, 2);
    check("code-rewritten", call_at(at), 2);
    write_function(frames[0], 3); /* by another name of the same frame */
    check("code-rewritten-by-alias", call_at(at), 3);
    u64 wrong = 0;
    for (u32 i = 0; i < 1000; i++) {
        write_function(code, i);
        wrong += call_at(at) != i;
    }
    check("code-rewritten-often", wrong, 0);
    /* Across a page: the immediate lies in both. */
    map_page(1, physical(frames[1]) | PRESENT | WRITABLE);
    u64 border = page_address(1) - 3;
    write_function((u8 *)border, 0x11223344);
    check("code-crossing", call_at(border), 0x11223344);
    frames[1][0] = 0x55; /* the third byte of the immediate */
    check("code-crossing-rewritten", call_at(border), 0x11553344);
    /* The last byte of one frame and the first of another, by a new frame behind the same address. */
    for (int i = 0; i < 16; i++) frames[2][i] = frames[1][i];
    frames[2][0] = 0x66;
    map_page(1, physical(frames[2]) | PRESENT | WRITABLE);
    check("code-crossing-remapped", call_at(border), 0x11663344);
}

/* Code that writes the instruction it comes to next, behind a jump. */
static void by_itself(void) {
    static const u8 source[] = {
        0xc6, 0x05, 0x03, 0x00, 0x00, 0x00, 0x07, /* movb $7, 3(%rip): the immediate below */
        0xeb, 0x00,                               /* jmp to the next */
        0xb8, 0x00, 0x00, 0x00, 0x00,             /* mov $0, %eax */
        0xc3,                                     /* ret */
    };
    u8 *code = (u8 *)page_address(0);
    for (usize i = 0; i < sizeof source; i++) code[i] = source[i];
    check("code-writes-itself", call_at(page_address(0)), 7);
    code[6] = 9;
    check("code-writes-itself-again", call_at(page_address(0)), 9);
    /* A loop that counts how often its own immediate was raised. */
    static const u8 loop[] = {
        0xb9, 0x0a, 0x00, 0x00, 0x00,             /* mov $10, %ecx */
        0x31, 0xc0,                               /* xor %eax, %eax */
        0x05, 0x01, 0x00, 0x00, 0x00,             /* add $1, %eax: the immediate changes */
        0xfe, 0x05, 0xf6, 0xff, 0xff, 0xff,       /* incb -10(%rip) */
        0xff, 0xc9,                               /* dec %ecx */
        0x75, 0xf1,                               /* jnz to the add */
        0xc3,
    };
    for (usize i = 0; i < sizeof loop; i++) code[i] = loop[i];
    check("code-changes-its-loop", call_at(page_address(0)), 55);
}

/* Two frames with different functions behind one address. */
static void remapped(void) {
    write_function(frames[0], 0xa);
    write_function(frames[1], 0xb);
    u64 wrong = 0;
    for (u32 i = 0; i < 100; i++) {
        map_page(0, physical(frames[i & 1]) | PRESENT);
        wrong += call_at(page_address(0)) != (i & 1 ? 0xb : 0xa);
    }
    check("code-remapped", wrong, 0);
    u64 own = level2[0];
    static u64 other[512] __attribute__((aligned(PAGE_SIZE)));
    for (int i = 0; i < 512; i++) other[i] = level1[i];
    map_page(0, physical(frames[0]) | PRESENT);
    other[0] = physical(frames[1]) | PRESENT;
    check("code-before-other-table", call_at(page_address(0)), 0xa);
    level2[0] = physical(other) | PRESENT | WRITABLE | USER;
    write_cr3(read_cr3());
    check("code-by-other-table", call_at(page_address(0)), 0xb);
    level2[0] = own;
    write_cr3(read_cr3());
}

/* Code that maps its own page elsewhere: it goes on in the other frame, at the next instruction. */
static void under_itself(void) {
    static const u8 source[] = {
        0x48, 0x89, 0x37,             /* mov %rsi, (%rdi): the entry */
        0x0f, 0x01, 0x3a,             /* invlpg (%rdx) */
        0xeb, 0x00,                   /* jmp to the next */
        0xb8, 0x01, 0x00, 0x00, 0x00, /* mov $1, %eax; $2 in the other frame */
        0xc3,
    };
    for (usize i = 0; i < sizeof source; i++) frames[0][i] = frames[1][i] = source[i];
    frames[1][9] = 2;
    map_page(0, physical(frames[0]) | PRESENT);
    u64 result;
    __asm__ volatile("call *%%rdx" : "=a"(result) : "D"(&level1[0]), "S"(physical(frames[1]) | PRESENT), "d"(page_address(0)) : "memory", "cc");
    check("page-remapped-under-code", result, 2);
    map_page(0, physical(frames[0]) | PRESENT | NO_EXECUTE);
    TRY("call *%[p]", [p] "S"(page_address(0)));
    check("page-made-not-executable", last.frame.vector << 8 | last.frame.error, PF << 8 | 0x11);
    /* The page under the code goes away: the next fetch faults. */
    map_page(0, physical(frames[0]) | PRESENT);
    forget();
    TRY("mov %[p], %%rdx\n lea level1(%%rip), %%rdi\n push %%rsi\n xor %%esi, %%esi\n call *%%rdx\n pop %%rsi", [p] "S"(page_address(0)));
    /* At the latest behind INVLPG; a processor may have forgotten the translation before. */
    u64 where = last.frame.rip - page_address(0);
    check("page-removed-under-code", where == 3 || where == 6, 1);
    check("page-removed-under-code-error", last.frame.vector << 8 | last.frame.error, PF << 8 | 0x10);
}

/* A handler that mends the code that faulted. */
static bool mend(struct frame *frame) {
    volatile u8 *code = (u8 *)frame->rip;
    code[0] = 0x90, code[1] = 0x90;
    return true;
}

static void mended(void) {
    u8 *code = (u8 *)page_address(0);
    map_page(0, physical(frames[0]) | PRESENT | WRITABLE);
    code[0] = 0x0f, code[1] = 0x0b; /* ud2 */
    write_function(code + 2, 0x77);
    hooks[UD] = mend;
    check("code-mended-by-handler", call_at(page_address(0)), 0x77);
    hooks[UD] = NULL;
}

void test_code(void) {
    rewritten();
    by_itself();
    remapped();
    under_itself();
    mended();
}
