/* From the kernel's stack to main, and from main's result to the end of the process. */
#include <elf.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp);

char **environ;

static void (*exit_functions[16])(void);
static int exit_function_count;

/*
 * A position-independent program is linked at address 0 and loaded where the kernel likes: every word that
 * holds an address must be moved by the difference before anything uses it. In other programs there is
 * nothing to move.
 */
#ifdef __PIE__
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));

static void relocate(void)
{
    unsigned long base = (unsigned long)&__ehdr_start;
    const Elf64_Rela *rela = 0;
    unsigned long size = 0;

    for (const Elf64_Dyn *entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_RELA)
            rela = (const Elf64_Rela *)(base + entry->d_val);
        else if (entry->d_tag == DT_RELASZ)
            size = entry->d_val;
    }
    for (const Elf64_Rela *end = rela + size / sizeof(*rela); rela < end; rela++) {
        if (ELF64_R_TYPE(rela->r_info) != R_X86_64_RELATIVE)
            __builtin_trap();
        *(unsigned long *)(base + rela->r_offset) = base + (unsigned long)rela->r_addend;
    }
}
#else
static void relocate(void) {}
#endif

_Noreturn void __start_c(long *stack)
{
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);

    relocate();
    environ = argv + argc + 1;
    exit(main(argc, argv, environ));
}

int atexit(void (*function)(void))
{
    if (exit_function_count == 16)
        return -1;
    exit_functions[exit_function_count++] = function;
    return 0;
}

_Noreturn void exit(int status)
{
    while (exit_function_count > 0)
        exit_functions[--exit_function_count]();
    _exit(status);
}
