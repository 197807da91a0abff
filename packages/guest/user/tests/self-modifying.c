/* Code that a program writes while it runs: through mprotect, over itself, in other processes. */
#include "test.h"
#include <sys/mman.h>

enum { PAGE = 4096 };

/* Writes `mov $value, %eax; ret`. */
static void write_function(unsigned char *where, unsigned value)
{
    where[0] = 0xb8;
    memcpy(where + 1, &value, 4);
    where[5] = 0xc3;
}

static unsigned run(unsigned char *code) { return ((unsigned (*)(void))code)(); }

int main(void)
{
    unsigned char *code = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned sum = 0;

    for (unsigned i = 0; i < 10; i++) {
        mprotect(code, PAGE, PROT_READ | PROT_WRITE);
        write_function(code, i * i);
        mprotect(code, PAGE, PROT_READ | PROT_EXEC);
        sum += run(code);
    }
    printf("with mprotect between: %u\n", sum);

    mprotect(code, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    sum = 0;
    for (unsigned i = 0; i < 1000; i++) {
        write_function(code, i);
        sum += run(code);
    }
    printf("writable and executable: %u\n", sum);

    /* Only the operand changes, and the instruction lies across two pages. */
    unsigned char *across = code + PAGE - 3;
    sum = 0;
    for (unsigned i = 0; i < 100; i++) {
        write_function(across, i << 16 | i);
        sum += run(across);
    }
    printf("across two pages: %u\n", sum);

    /* A loop that overwrites an instruction of its own: the first round adds 1, the others 100. */
    static const unsigned char loop[] = {
        0x31, 0xc0,               /*    xor eax, eax          */
        0xb9, 5,    0,    0,   0, /*    mov ecx, 5            */
        0x83, 0xc0, 0x01,         /* 1: add eax, 1            */
        0xc6, 0x47, 9,    100,    /*    mov byte [rdi+9], 100 */
        0xff, 0xc9,               /*    dec ecx               */
        0x75, 0xf5,               /*    jnz 1b                */
        0xc3,                     /*    ret                   */
    };
    memcpy(code, loop, sizeof(loop));
    printf("a loop that changes itself: %u\n", ((unsigned (*)(unsigned char *))code)(code));

    /* The store hits the instruction right behind it. */
    static const unsigned char next[] = {
        0xb0, 7,              /* mov al, 7             */
        0xc6, 0x47, 7,    42, /* mov byte [rdi+7], 42  */
        0xb0, 1,              /* mov al, 1 -> 42       */
        0x0f, 0xb6, 0xc0,     /* movzx eax, al         */
        0xc3,
    };
    sum = 0;
    for (int i = 0; i < 3; i++) {
        memcpy(code, next, sizeof(next));
        sum = sum * 100 + ((unsigned (*)(unsigned char *))code)(code);
    }
    printf("the very next instruction: %u\n", sum);

    /* After fork each has its own code. */
    write_function(code, 11);
    run(code);
    pid_t child = fork();
    if (child == 0) {
        write_function(code, 22);
        _exit((int)run(code));
    }
    show_end("the child's code gives", child);
    printf("the parent's gives %u\n", run(code));

    /* Other code at the same address, by a new map. */
    munmap(code, 2 * PAGE);
    unsigned char *again = mmap(code, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    write_function(again, 33);
    printf("a new map gives %u\n", run(again));

    /* One page in two processes: this one writes the code, the other executes it. */
    unsigned char *shared =
        mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int down[2], up[2];
    pipe(down);
    pipe(up);
    child = fork();
    if (child == 0) {
        char letter;
        close(down[1]);
        while (read(down[0], &letter, 1) == 1) {
            unsigned value = run(shared);
            write(up[1], &value, sizeof(value));
        }
        _exit(0);
    }
    sum = 0;
    for (unsigned i = 0; i < 100; i++) {
        unsigned value = 0;
        write_function(shared, i * 3);
        write(down[1], "x", 1);
        read(up[0], &value, sizeof(value));
        sum += value;
    }
    close(down[1]);
    show_end("the other process", child);
    printf("it has seen %u\n", sum);
    return verdict();
}
