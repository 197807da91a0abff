/*
 * strings.c: repeated string instructions that fault in the middle: the registers say how far they got,
 * and the instruction goes on from there (Intel SDM Vol. 2B, "REP/REPE/REPZ/REPNE/REPNZ").
 */
#include "selftest.h"

static u64 mapped, fault_count, fault_left;

/* Maps the page that was missing and goes on. */
static bool serve(struct frame *frame) {
    fault_count++;
    fault_left = frame->rcx;
    map_page((int)mapped, physical(frames[mapped]) | PRESENT | WRITABLE);
    return true;
}

static u64 sum(const u8 *from, u64 bytes) {
    u64 result = 0;
    for (u64 i = 0; i < bytes; i++) result = result * 31 + from[i];
    return result;
}

static void prepare(void) {
    for (int page = 0; page < 4; page++) {
        for (int i = 0; i < PAGE_SIZE; i++) frames[page][i] = (u8)(page < 2 ? i * 7 + page : 0);
        map_page(page, physical(frames[page]) | PRESENT | WRITABLE);
    }
    fault_count = 0;
}

void test_strings(void) {
    u64 from = page_address(0) + 100, to = page_address(2) + 4000, left;
    prepare();
    map_page(3, 0);
    TRY("mov %[t], %%rdi\n mov $500, %%ecx\n push %%rsi\n rep movsb\n pop %%rsi", [t] "b"(to), "S"(from));
    check("movsb-fault", last.frame.vector << 8 | last.frame.error, PF << 8 | 2);
    check("movsb-left", last.frame.rcx, 500 - 96);
    check("movsb-source", last.frame.rsi, from + 96);
    check("movsb-target", last.frame.rdi, to + 96);
    check("movsb-address", last.cr2, page_address(3));
    check("movsb-done", sum(frames[2] + 4000, 96), sum(frames[0] + 100, 96));

    prepare();
    map_page(3, 0);
    mapped = 3;
    hooks[PF] = serve;
    __asm__ volatile("rep movsb" : "=c"(left) : "0"(500), "S"(from), "D"(to) : "memory");
    check("movsb-continued", fault_count << 32 | fault_left << 16 | left, 1ull << 32 | 404ull << 16);
    check("movsb-result", sum(frames[3], 404), sum(frames[0] + 196, 404));

    prepare();
    map_page(3, 0);
    u64 odd = page_address(3) - 12; /* one and a half words */
    __asm__ volatile("rep stosq" : "=c"(left) : "0"(10), "D"(odd), "a"(0x0102030405060708) : "memory");
    check("stosq-continued", fault_count << 32 | fault_left << 16 | left, 1ull << 32 | 9ull << 16);
    check("stosq-result", *(u64 *)(frames[3] + 4), 0x0102030405060708);
    check("stosq-crossing", *(u32 *)(frames[2] + PAGE_SIZE - 4) | (u64)*(u32 *)frames[3] << 32, 0x0102030405060708);

    prepare();
    map_page(2, 0);
    mapped = 2;
    u64 end = page_address(3) + 9;
    __asm__ volatile("std\n rep movsb\n cld" : "=c"(left) : "0"(30), "S"(from + 29), "D"(end) : "memory");
    check("movsb-down-continued", fault_count << 32 | fault_left << 16 | left, 1ull << 32 | 20ull << 16);
    check("movsb-down-result", sum(frames[2] + PAGE_SIZE - 20, 20), sum(frames[0] + 100, 20));

    /* The source faults before the target's flags or memory change. */
    prepare();
    map_page(1, 0);
    mapped = 1;
    u8 equal;
    u64 compared = page_address(1) - 8, other = page_address(2) + PAGE_SIZE - 8;
    for (int i = 0; i < 16; i++) (i < 8 ? frames[0] + PAGE_SIZE - 8 : frames[1] - 8)[i] = (u8)i;
    for (int i = 0; i < 16; i++) (i < 8 ? frames[2] + PAGE_SIZE - 8 : frames[3] - 8)[i] = (u8)(i == 12 ? 99 : i);
    __asm__ volatile("repe cmpsb\n sete %1" : "=c"(left), "=q"(equal) : "0"(16), "S"(compared), "D"(other) : "memory", "cc");
    check("cmpsb-continued", fault_count << 32 | fault_left << 16 | left << 8 | equal, 1ull << 32 | 8ull << 16 | 3 << 8);
    prepare();
    map_page(1, 0);
    for (int i = 0; i < 8; i++) frames[0][PAGE_SIZE - 8 + i] = 1, frames[1][i] = 1;
    frames[1][5] = 0;
    __asm__ volatile("repne scasb" : "=c"(left) : "0"(100), "D"(page_address(1) - 8), "a"(0) : "memory", "cc");
    check("scasb-continued", fault_count << 32 | fault_left << 16 | left, 1ull << 32 | 92ull << 16 | 86);

    /* Nothing to do faults nowhere. */
    prepare();
    map_page(1, 0);
    __asm__ volatile("rep movsb" : "=c"(left) : "0"(0), "S"(page_address(1)), "D"(page_address(1)) : "memory");
    check("movsb-of-nothing", fault_count, 0);

    /* Without REP: a push, a call and a read-modify-write that fault leave everything as it was. */
    hooks[PF] = NULL;
    map_page(1, physical(frames[1]) | PRESENT);
    frames[1][0] = 5;
    TRY("stc\n incb (%[p])", [p] "S"(page_address(1)));
    check("increment-fault-flags", last.frame.rflags & CF, CF);
    check("increment-fault-memory", frames[1][0], 5);
    TRY("mov $6, %%eax\n xchg %%al, (%[p])", [p] "S"(page_address(1)));
    check("exchange-fault-register", last.frame.rax, 6);
    map_page(1, 0);
    u64 stack = page_address(2);
    set_gate(PF, stubs + 16 * PF, 0, 3);
    TRY("mov %[p], %%rsp\n push %%rax", [p] "S"(stack));
    check("push-fault-rsp", last.frame.rsp, stack);
    TRY("mov %[p], %%rsp\n call 87f\n 87:", [p] "S"(stack));
    check("call-fault-rsp", last.frame.rsp, stack);
    TRY("mov %[p], %%rsp\n pop %%rax", [p] "S"(page_address(1)));
    check("pop-fault-rsp", last.frame.rsp, page_address(1));
    set_gate(PF, stubs + 16 * PF, 0, 0);
}
