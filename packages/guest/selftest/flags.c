/*
 * flags.c: the interrupt flag: CLI, STI, PUSHF, POPF, IRET at both levels; and what they may change.
 */
#include "selftest.h"

extern char user_popf[];

#define ID (1ull << 21)
#define VIF (1ull << 19)
#define STATUS 0x8d5ull /* CF PF AF ZF SF OF */

void test_flags(void) {
    interrupts_on();
    check("sti-shows", read_flags() & IF, IF);
    interrupts_off();
    check("cli-shows", read_flags() & IF, 0);

    u64 inside;
    __asm__ volatile("sti\n pushf\n cli\n pushf\n pop %0\n popf" : "=r"(inside)::"memory", "cc");
    check("cli-in-section", inside & IF, 0);
    check("popf-restores-if", read_flags() & IF, IF);
    interrupts_off();
    __asm__ volatile("pushf\n sti\n nop\n popf" ::: "memory", "cc");
    check("popf-clears-if", read_flags() & IF, 0);
    write_flags(IF | 2);
    check("popf-sets-if", read_flags() & IF, IF);
    u16 narrow;
    __asm__ volatile("pushw $0x0002\n popfw\n pushfw\n pop %0" : "=r"(narrow)::"memory", "cc");
    check("popfw-clears-if", narrow & IF, 0);
    write_flags(2);

    write_flags(STATUS | 2);
    check("popf-status", read_flags() & (STATUS | 0x2a), STATUS | 2); /* bit 1 is one, 3 and 5 are zero */
    write_flags(IOPL3 | 2);
    check("popf-iopl", read_flags() & IOPL3, IOPL3);
    write_flags(2);
    write_flags(ID | AC | NT | 2);
    check("popf-id-ac-nt", read_flags() & (ID | AC | NT), ID | AC | NT);
    write_flags(2);
    write_flags(0x10000 | 2);
    check("popf-keeps-rf-clear", read_flags() & 0x10000, 0);
    write_flags(0x20000 | 2);
    check("popf-ignores-vm", read_flags() & 0x20000, 0);

    run_user(user_popf, IF | IOPL3 | CF | 2, 0);
    check("user-popf-leaves-if-and-iopl", user_result() & (IF | IOPL3 | CF), CF);
    run_user(user_popf, 2, IF);
    check("user-popf-cannot-clear-if", user_result() & IF, IF);
    run_user(user_popf, 2, IF | IOPL3);
    check("user-popf-with-iopl-clears-if", user_result() & (IF | IOPL3), IOPL3);
    run_user(user_popf, AC | ID | DF | 2, 0);
    check("user-popf-ac-id-df", user_result() & (AC | ID | DF), AC | ID | DF);

    u64 after;
    __asm__ volatile("mov %%rsp, %%rbx\n mov %%ss, %%eax\n push %%rax\n push %%rbx\n pushq $0x202\n mov %%cs, %%eax\n"
                     "push %%rax\n lea 1f(%%rip), %%rax\n push %%rax\n iretq\n 1: pushf\n pop %0"
                     : "=r"(after)::"rax", "rbx", "memory", "cc");
    check("iret-sets-if", after & IF, IF);
    interrupts_off();
    u64 lahf;
    write_flags(2);
    __asm__ volatile("mov $0xd500, %%eax\n sahf\n pushf\n pop %0" : "=r"(lahf)::"rax", "cc", "memory");
    check("sahf", lahf & 0xff, 0xd7);
    write_flags(2);
}
