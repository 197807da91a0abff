/*
 * interrupts.c: when external interrupts come, and in which order (Intel SDM Vol. 3A §6.8, "Enabling and
 * Disabling Interrupts"; §11.8, "Handling Interrupts").
 */
#include "selftest.h"

static u64 order, places[8];
static u32 count;

static void note(u64 mark, const struct frame *frame) {
    order = order << 4 | mark;
    if (count < ARRAY_LENGTH(places)) places[count] = frame->rip;
    count++;
}

static bool low(struct frame *frame) {
    note(1, frame);
    end_of_interrupt();
    return true;
}

static bool high(struct frame *frame) {
    note(2, frame);
    end_of_interrupt();
    return true;
}

static void start(void) { order = count = 0; }

/* The high one comes while the low one is handled, the low one's second not before its end. */
static bool low_nesting(struct frame *frame) {
    note(1, frame);
    if (count == 1) {
        send_self(VECTOR_LOW);
        send_self(VECTOR_HIGH);
        interrupts_on();
        interrupts_off();
        order = order << 4 | 3;
    }
    end_of_interrupt();
    return true;
}

static void shadows(void) {
    u64 place;
    start();
    send_self(VECTOR_LOW);
    __asm__ volatile("nop\n nop" ::: "memory");
    check("masked-by-if", count, 0);
    __asm__ volatile("lea 1f(%%rip), %0\n sti\n nop\n 1: nop\n cli" : "=r"(place)::"memory", "cc");
    check("sti-shadow", count == 1 && places[0] == place, 1);

    start();
    send_self(VECTOR_LOW);
    __asm__ volatile("sti\n cli" ::: "memory", "cc");
    check("sti-cli-lets-nothing-in", count, 0);
    __asm__ volatile("sti\n sti\n cli" ::: "memory", "cc"); /* the second STI has no shadow */
    check("sti-sti-cli", count, 1);

    start();
    send_self(VECTOR_LOW);
    __asm__ volatile("lea 1f(%%rip), %0\n pushf\n orq $0x200, (%%rsp)\n popf\n 1: nop\n cli" : "=&r"(place)::"memory", "cc");
    check("popf-has-no-shadow", count == 1 && places[0] == place, 1);

    start();
    send_self(VECTOR_LOW);
    __asm__ volatile("mov %%ss, %%eax\n lea 1f(%%rip), %0\n sti\n mov %%eax, %%ss\n nop\n 1: nop\n cli"
                     : "=&r"(place)::"rax", "memory", "cc");
    check("mov-ss-shadow", count, 1);

    start();
    send_self(VECTOR_LOW);
    __asm__ volatile("mov %%rsp, %%rbx\n mov %%ss, %%eax\n push %%rax\n push %%rbx\n pushq $0x202\n mov %%cs, %%eax\n"
                     "push %%rax\n lea 1f(%%rip), %0\n push %0\n iretq\n 1: nop\n cli"
                     : "=&r"(place)::"rax", "rbx", "memory", "cc");
    check("iret-has-no-shadow", count == 1 && places[0] == place, 1);

    start();
    send_self(VECTOR_LOW);
    __asm__ volatile("sti\n hlt\n cli" ::: "memory", "cc");
    check("sti-hlt", count, 1);
}

static void priorities(void) {
    start();
    send_self(VECTOR_LOW);
    send_self(VECTOR_HIGH);
    interrupts_on();
    interrupts_off();
    check("higher-first", order, 0x21);

    hooks[VECTOR_LOW] = low_nesting;
    start();
    send_self(VECTOR_LOW);
    interrupts_on();
    interrupts_off();
    check("nested", order, 0x1231);
    hooks[VECTOR_LOW] = low;

    start();
    apic_write(0x80, 0x40); /* TPR: the class of VECTOR_LOW and below */
    send_self(VECTOR_LOW);
    send_self(VECTOR_HIGH);
    interrupts_on();
    interrupts_off();
    check("tpr-holds-low", order, 2);
    u64 priority = 0;
    __asm__ volatile("mov %0, %%cr8" ::"r"(priority));
    check("cr8-is-tpr", apic_read(0x80), 0);
    interrupts_on();
    interrupts_off();
    check("tpr-released", order, 0x21);
    priority = 5;
    __asm__ volatile("mov %0, %%cr8" ::"r"(priority));
    check("cr8-sets-tpr", apic_read(0x80), 0x50);
    __asm__ volatile("mov %%cr8, %0" : "=r"(priority));
    check("cr8-reads", priority, 5);
    apic_write(0x80, 0);
}

extern char user_step[];

/* An interrupt that waits comes before the first instruction of the program. */
static void user_interrupt(void) {
    hooks[VECTOR_LOW] = NULL;
    send_self(VECTOR_LOW);
    run_user(user_step, 0, IF);
    check("interrupt-before-user", last.frame.vector << 32 | (last.frame.rip - try_at), (u64)VECTOR_LOW << 32);
    check("interrupt-from-user-level", last.frame.cs, USER_CS);
    end_of_interrupt();
    hooks[VECTOR_LOW] = low;
}

void test_interrupts(void) {
    hooks[VECTOR_LOW] = low;
    hooks[VECTOR_HIGH] = high;
    shadows();
    priorities();
    user_interrupt();
    hooks[VECTOR_LOW] = hooks[VECTOR_HIGH] = NULL;
}
