/* mprotect, and SIGSEGV handlers that are told what happened and repair it. */
#include "test.h"
#include <setjmp.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static char *area;
static volatile int faults, last_code, last_page, last_error;
static sigjmp_buf escape;

static void repair(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal;
    faults++;
    last_code = info->si_code;
    last_page = (int)(((char *)info->si_addr - area) / PAGE);
    last_error = (int)c->uc_mcontext.gregs[REG_ERR] & 7;
    if (mprotect(area + last_page * PAGE, PAGE, PROT_READ | PROT_WRITE) < 0)
        _exit(99);
}

static void leave(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    last_code = info->si_code;
    siglongjmp(escape, 1);
}

static void handle(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, 0);
}

static void tell(const char *what)
{
    printf("%s: fault %d on page %d, code %s, error code %d\n", what, faults, last_page,
           last_code == SEGV_ACCERR ? "ACCERR" : "MAPERR", last_error);
}

/* Whether access to the byte faults. */
static int faults_at(volatile char *where, int writing)
{
    handle(leave);
    if (sigsetjmp(escape, 1))
        return 1;
    if (writing)
        *where = 1;
    else
        (void)*where;
    return 0;
}

/* Volatile, for the compiler knows that nothing is there. */
static volatile char *volatile null_pointer;

static int read_null(void) { return *null_pointer; }
static int write_text(void) { return *(volatile char *)read_null = 1; }
static int read_kernel(void) { return *(volatile char *)0xffffffff80100000UL; }
static int read_non_canonical(void) { return *(volatile char *)0x8000000000000000UL; }
static int execute_data(void)
{
    static char code[] = { (char)0xc3 };
    ((void (*)(void))code)();
    return 0;
}

int main(void)
{
    area = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 1, 8 * PAGE);

    handle(repair);
    show("mprotect", mprotect(area + PAGE, 3 * PAGE, PROT_READ));
    area[0]++;
    area[PAGE + 5]++;
    tell("a write to a page that can only be read");
    area[PAGE + 6]++;
    area[2 * PAGE]++;
    tell("the next page");
    mprotect(area + 3 * PAGE, PAGE, PROT_NONE);
    int value = area[3 * PAGE];
    tell("a read where nothing is allowed");
    printf("it holds %d\n", value);
    printf("%d %d %d\n", area[0], area[PAGE + 5], area[2 * PAGE]);

    /* Garbage collectors do this: all pages protected, each fault opens one. */
    mprotect(area, 8 * PAGE, PROT_NONE);
    faults = 0;
    int sum = 0;
    for (int i = 0; i < 8 * PAGE; i += PAGE / 2)
        sum += ++area[i];
    printf("%d faults, sum %d\n", faults, sum);

    check("no fault where all is allowed", !faults_at(area, 1) && !faults_at(area, 0));
    mprotect(area, PAGE, PROT_READ);
    check("read-only: a write faults, a read does not", faults_at(area, 1) && !faults_at(area, 0));
    munmap(area + 4 * PAGE, PAGE);
    check("an unmapped page faults", faults_at(area + 4 * PAGE, 0) && last_code == SEGV_MAPERR);
    check("its neighbour does not", !faults_at(area + 5 * PAGE, 0));
    check("the kernel's half faults", faults_at((char *)0xffffffff80100000UL, 0));
    check("so does the page below it, which nobody gets", faults_at((char *)0x7ffffffff000UL, 0));
    show("mprotect of what is not mapped", mprotect(area + 4 * PAGE, PAGE, PROT_READ));
    show("mprotect not on a page", mprotect(area + 1, PAGE, PROT_READ));
    show("mprotect over a hole", mprotect(area + 3 * PAGE, 3 * PAGE, PROT_READ));
    show("mprotect of nothing", mprotect(area, 0, PROT_READ));

    signal(SIGSEGV, SIG_DFL);
    in_child("a null pointer", read_null);
    in_child("a write to the program's text", write_text);
    in_child("a read of the kernel", read_kernel);
    in_child("an address that is not canonical", read_non_canonical);
    in_child("execution of data", execute_data);
    return verdict();
}
