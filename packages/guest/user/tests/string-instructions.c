/* REP MOVS, STOS, LODS, SCAS and CMPS: both directions, all widths, overlaps, and faults in the middle that
 * are repaired. */
#include "test.h"
#include <sys/mman.h>

enum { PAGE = 4096 };

static unsigned char buffer[512];
static char *area;
static volatile unsigned long seen_rcx, seen_rsi, seen_rdi;
static volatile int faults;

static void fill(void)
{
    for (int i = 0; i < 512; i++)
        buffer[i] = (unsigned char)(i * 7);
}

static unsigned sum(const unsigned char *bytes, int size)
{
    unsigned total = 0;
    for (int i = 0; i < size; i++)
        total = total * 31 + bytes[i];
    return total;
}

#define MOVE(name, instruction, setup)                                                                     \
    static void name(long from, long to, long count)                                                       \
    {                                                                                                      \
        unsigned char *source = buffer + from, *target = buffer + to;                                      \
        fill();                                                                                            \
        __asm__ volatile(setup "; rep " instruction "; cld"                                                \
                         : "+S"(source), "+D"(target), "+c"(count)                                         \
                         :                                                                                 \
                         : "memory", "cc");                                                                \
        printf("%s %s from %ld to %ld: %08x, pointers %ld %ld, count %ld\n", setup, instruction, from, to, \
               sum(buffer, 512), (long)(source - buffer), (long)(target - buffer), count);                 \
    }

MOVE(move_bytes, "movsb", "cld")
MOVE(move_words, "movsw", "cld")
MOVE(move_doubles, "movsl", "cld")
MOVE(move_quads, "movsq", "cld")
MOVE(move_bytes_down, "movsb", "std")
MOVE(move_quads_down, "movsq", "std")

#define STORE(name, instruction, setup)                                                                  \
    static void name(long to, long count)                                                                \
    {                                                                                                    \
        unsigned char *target = buffer + to;                                                             \
        fill();                                                                                          \
        __asm__ volatile(setup "; rep " instruction "; cld"                                              \
                         : "+D"(target), "+c"(count)                                                     \
                         : "a"(0x1122334455667788)                                                       \
                         : "memory", "cc");                                                              \
        printf("%s %s to %ld: %08x, pointer %ld, count %ld\n", setup, instruction, to, sum(buffer, 512), \
               (long)(target - buffer), count);                                                          \
    }

STORE(store_bytes, "stosb", "cld")
STORE(store_words, "stosw", "cld")
STORE(store_doubles, "stosl", "cld")
STORE(store_quads, "stosq", "cld")
STORE(store_doubles_down, "stosl", "std")

static void scan(const char *what, unsigned char byte, long count)
{
    unsigned char *at = buffer, found;
    long left = count;
    fill();
    __asm__ volatile("cld; cmp %%ecx, %%ecx; repne scasb; sete %2"
                     : "+D"(at), "+c"(left), "=&q"(found)
                     : "a"(byte)
                     : "memory", "cc");
    printf("%s: at %ld, left %ld, found %d\n", what, (long)(at - buffer), left, found);
    at = buffer;
    left = count;
    __asm__ volatile("cld; cmp %%ecx, %%ecx; repe scasb; setb %2"
                     : "+D"(at), "+c"(left), "=&q"(found)
                     : "a"(byte)
                     : "memory", "cc");
    printf("  the same: at %ld, left %ld, below %d\n", (long)(at - buffer), left, found);
}

static void compare(const char *what, long differs, long count)
{
    unsigned char equal, below;
    unsigned char *left = buffer, *right = buffer + 256;
    for (int i = 0; i < 256; i++)
        buffer[i] = buffer[256 + i] = (unsigned char)i;
    if (differs >= 0)
        buffer[256 + differs]++;
    /* So that a count of zero has flags to leave alone. */
    __asm__ volatile("cld; cmp %%eax, %%eax; repe cmpsb; sete %3; setb %4"
                     : "+S"(left), "+D"(right), "+c"(count), "=&q"(equal), "=&q"(below)
                     :
                     : "memory", "cc");
    printf("%s: at %ld, left %ld, equal %d, below %d\n", what, (long)(left - buffer), count, equal, below);
}

static void repair(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal;
    faults++;
    seen_rcx = c->uc_mcontext.gregs[REG_RCX];
    seen_rsi = c->uc_mcontext.gregs[REG_RSI] - (unsigned long)area;
    seen_rdi = c->uc_mcontext.gregs[REG_RDI] - (unsigned long)area;
    mprotect((char *)((unsigned long)info->si_addr & ~(unsigned long)(PAGE - 1)), PAGE,
             PROT_READ | PROT_WRITE);
}

static void protect(int page) { mprotect(area + page * PAGE, PAGE, PROT_NONE); }

int main(void)
{
    move_bytes(10, 300, 100);
    move_bytes(10, 13, 100);
    move_bytes(13, 10, 100);
    move_words(11, 301, 50);
    move_doubles(3, 255, 25);
    move_quads(1, 17, 20);
    move_quads(0, 4, 20);
    move_bytes(0, 100, 0);
    move_bytes_down(200, 210, 100);
    move_quads_down(200, 203, 12);
    store_bytes(5, 100);
    store_words(5, 100);
    store_doubles(5, 50);
    store_quads(5, 30);
    store_doubles_down(400, 60);
    scan("scan for the first", 0, 512);
    scan("scan for the third", 14, 512);
    scan("scan for one beyond", 21, 3);
    scan("scan of nothing", 21, 0);
    compare("compare equal ones", -1, 200);
    compare("compare, different at 100", 100, 200);
    compare("compare, different behind", 100, 100);
    compare("compare nothing", 0, 0);

    /* Faults in the middle: the registers say how far it came, and it goes on from there. */
    struct sigaction action = { .sa_sigaction = repair, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, 0);
    area = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4 * PAGE; i++)
        area[i] = (char)(i * 13 >> 4);
    protect(1);
    protect(6);
    char *source = area + 100, *target = area + 4 * PAGE + 50;
    long count = 3 * PAGE;
    __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
    printf("%d faults, the last with rcx %lu rsi %lu rdi %lu\n", faults, seen_rcx, seen_rsi, seen_rdi);
    check("all was moved", memcmp(area + 100, area + 4 * PAGE + 50, 3 * PAGE) == 0);

    protect(2);
    protect(5);
    target = area + PAGE + 4;
    count = 5 * PAGE / 8;
    __asm__ volatile("rep stosq" : "+D"(target), "+c"(count) : "a"(0x0101010101010101) : "memory");
    printf("%d faults, the last with rcx %lu rdi %lu\n", faults, seen_rcx, seen_rdi);
    printf("%08x\n", sum((unsigned char *)area, 8 * PAGE));

    /* A quad that lies half on the page that faults is not written at all before the repair. */
    protect(3);
    volatile unsigned long *across = (volatile unsigned long *)(area + 3 * PAGE - 4);
    *across = 0x123456789abcdef0;
    printf("%d faults, %lx\n", faults, *across);

    protect(3);
    target = area + 2 * PAGE;
    source = area + 6 * PAGE;
    memset(area + 2 * PAGE, 5, PAGE);
    memset(area + 6 * PAGE, 5, 2 * PAGE);
    count = 2 * PAGE;
    __asm__ volatile("repe cmpsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory", "cc");
    printf("%d faults, compare left %ld\n", faults, count);
    return verdict();
}
