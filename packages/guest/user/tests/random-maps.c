/*
 * Eight thousand random operations on 64 pages of addresses, and a model that knows what each must give: maps
 * come and go, protections change, pages are read, written and executed by the program and by the kernel for
 * it, processes fork.
 *
 * Whatever keeps translations of addresses or of code is wrong here as soon as it keeps one too long.
 */
#include "test.h"
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 64, OPERATIONS = 8000 };

static uint64_t random_state = 777;
static char *area;
static int fds[2];

/* What a page must be. Its content is a function that returns `value`, or zeros while that is 0. */
static struct {
    int mapped, protection;
    unsigned value;
} model[PAGES];

static sigjmp_buf escape;
static volatile int fault_code;
static void *volatile fault_address;
static long faults, wrong, executed;

static unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 20) % limit;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(escape, 1);
}

static void expect(const char *what, int page, int holds)
{
    if (holds)
        return;
    if (wrong++ < 10)
        printf("page %d, protection %d: %s is wrong\n", page,
               model[page].mapped ? model[page].protection : -1, what);
}

/* Sees to it that a fault was right, and told rightly. */
static void expect_fault(const char *what, int page, int needed)
{
    faults++;
    expect(what, page, !model[page].mapped || (model[page].protection & needed) != needed);
    expect("the code of a fault", page, fault_code == (model[page].mapped ? SEGV_ACCERR : SEGV_MAPERR));
    expect("the address of a fault", page, (char *)fault_address - area == page * PAGE + 16);
}

static int allowed(int page, int needed)
{
    return model[page].mapped && (model[page].protection & needed) == needed;
}

/* At byte 16 of the page: mov $value, %eax; ret. */
static void write_page(int page, unsigned value)
{
    volatile uint64_t *code = (volatile uint64_t *)(area + page * PAGE + 16);
    if (sigsetjmp(escape, 1)) {
        expect_fault("a fault of a write", page, PROT_WRITE);
        return;
    }
    *code = 0xb8 | (uint64_t)value << 8 | (uint64_t)0xc3 << 40;
    expect("a write without fault", page, allowed(page, PROT_WRITE));
    model[page].value = value;
}

static void read_page(int page)
{
    volatile uint64_t *code = (volatile uint64_t *)(area + page * PAGE + 16);
    if (sigsetjmp(escape, 1)) {
        expect_fault("a fault of a read", page, PROT_READ);
        return;
    }
    unsigned value = (unsigned)(*code >> 8);
    expect("a read without fault", page, allowed(page, PROT_READ));
    expect("what is read", page, value == model[page].value);
}

static void execute_page(int page)
{
    /* A page of zeros is no function, and one that cannot be seen may be one. */
    if (model[page].mapped && model[page].value == 0)
        return;
    if (sigsetjmp(escape, 1)) {
        expect_fault("a fault of an execution", page, PROT_EXEC);
        return;
    }
    unsigned value = ((unsigned (*)(void))(area + page * PAGE + 16))();
    expect("an execution without fault", page, allowed(page, PROT_EXEC));
    expect("what is executed", page, value == model[page].value);
    executed++;
}

/* The kernel reads and writes the page through a pipe. */
static void pass_to_kernel(int page)
{
    uint64_t code = 0;
    char *where = area + page * PAGE + 16;
    if (random_below(2)) {
        long result = write(fds[1], where, 8);
        expect("what the kernel may read", page, result == (allowed(page, PROT_READ) ? 8 : -1));
        if (result == 8) {
            read(fds[0], &code, 8);
            expect("what the kernel reads", page, (unsigned)(code >> 8) == model[page].value);
        }
    } else {
        unsigned value = 1 + random_below(1000000);
        code = 0xb8 | (uint64_t)value << 8 | (uint64_t)0xc3 << 40;
        write(fds[1], &code, 8);
        long result = read(fds[0], where, 8);
        expect("what the kernel may write", page, result == (allowed(page, PROT_WRITE) ? 8 : -1));
        if (result == 8)
            model[page].value = value;
        else
            read(fds[0], &code, 8);
    }
}

static void change(int first, int count)
{
    static const int protections[] = {
        PROT_NONE,
        PROT_READ,
        PROT_READ | PROT_WRITE,
        PROT_READ | PROT_EXEC,
        PROT_READ | PROT_EXEC,
        PROT_READ | PROT_WRITE | PROT_EXEC,
        PROT_READ | PROT_WRITE | PROT_EXEC,
    };
    int protection = protections[random_below(7)], way = (int)random_below(16), all = 1;
    char *where = area + first * PAGE;
    for (int page = first; page < first + count; page++)
        all &= model[page].mapped;

    if (way < 2) {
        expect("mmap", first,
               mmap(where, (size_t)count * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                    0) == where);
        for (int page = first; page < first + count; page++) {
            model[page].mapped = 1;
            model[page].protection = protection;
            model[page].value = 0;
        }
    } else if (way == 2) {
        expect("munmap", first, munmap(where, (size_t)count * PAGE) == 0);
        for (int page = first; page < first + count; page++)
            model[page].mapped = 0;
    } else if (!all) {
        return;
    } else if (way == 3) {
        expect("madvise", first, madvise(where, (size_t)count * PAGE, MADV_DONTNEED) == 0);
        for (int page = first; page < first + count; page++)
            model[page].value = 0;
    } else {
        expect("mprotect", first, mprotect(where, (size_t)count * PAGE, protection) == 0);
        for (int page = first; page < first + count; page++)
            model[page].protection = protection;
    }
}

static void operate(int forks);

/* A child goes on for a while on its own, and so does the parent, with what both have inherited. */
static void split(void)
{
    pid_t child = fork();
    if (child == 0) {
        /* With a pipe of its own, or the two would take each other's bytes. */
        close(fds[0]), close(fds[1]);
        pipe(fds);
        random_state ^= 0x5555555555555555;
        wrong = 0;
        for (int i = 0; i < 60; i++)
            operate(0);
        _exit(wrong > 0);
    }
    int status;
    for (int i = 0; i < 20; i++)
        operate(0);
    expect("a child", 0, waitpid(child, &status, 0) == child && status == 0);
}

static void operate(int forks)
{
    int page = (int)random_below(PAGES), count = 1 + (int)random_below(8);
    switch (random_below(14)) {
    case 0:
    case 1:
    case 2: write_page(page, 1 + random_below(1000000)); break;
    case 9:
    case 10:
        write_page(page, 1 + random_below(1000000));
        execute_page(page);
        break;
    case 11:
        /* Several pages in turn, so that translations of all of them are there before the next change. */
        for (int i = page; i < page + count && i < PAGES; i++)
            execute_page(i);
        break;
    case 3:
    case 4: read_page(page); break;
    case 5:
    case 6: execute_page(page); break;
    case 7: pass_to_kernel(page); break;
    case 8:
        if (forks && random_below(8) == 0)
            split();
        break;
    default: change(page, page + count > PAGES ? PAGES - page : count);
    }
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, 0);
    area = mmap(0, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(area, PAGES * PAGE);
    pipe(fds);
    for (int i = 1; i <= OPERATIONS; i++) {
        operate(1);
        if (i % 1000 == 0)
            printf("%d operations: %ld faults, %ld functions executed, %ld wrong\n", i, faults, executed,
                   wrong);
    }
    return wrong > 0;
}
