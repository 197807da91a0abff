/* System calls that are given addresses of nothing answer EFAULT, and leave the process alive. */
#include "test.h"
#include <sys/mman.h>
#include <sys/syscall.h>

static const struct {
    const char *name;
    unsigned long value;
} addresses[] = {
    { "null", 0 },
    { "an unmapped one", 0x10000 },
    { "the page that ends user space", 0x7ffffffff000 },
    { "one that is not canonical", 0x8000000000000000 },
    { "the kernel's", 0xffffffff80100000 },
    { "the last of all", 0xfffffffffffffff8 },
};

int main(void)
{
    int fds[2];
    char *pages = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + 4096, 4096);
    pipe(fds);
    write(fds[1], "0123456789", 10);

    for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
        unsigned long bad = addresses[i].value;
        printf("%s:\n", addresses[i].name);
        show("  write", syscall(SYS_write, fds[1], bad, 1L));
        show("  read", syscall(SYS_read, fds[0], bad, 1L));
        show("  open", syscall(SYS_openat, (long)AT_FDCWD, bad, 0L, 0L));
        show("  stat", syscall(SYS_newfstatat, (long)AT_FDCWD, "/", bad, 0L));
        show("  pipe", syscall(SYS_pipe, bad));
        show("  getcwd", syscall(SYS_getcwd, bad, 100L));
        show("  readlink", syscall(SYS_readlink, "/proc/self/exe", bad, 10L));
        show("  uname", syscall(SYS_uname, bad));
        show("  clock_gettime", syscall(SYS_clock_gettime, 1L, bad));
        show("  execve", syscall(SYS_execve, bad, 0L, 0L));
        show("  poll", syscall(SYS_poll, bad, 1L, 0L));
        if (bad == 0)
            continue;
        /* For these a null pointer means "not wanted". */
        show("  rt_sigaction", syscall(SYS_rt_sigaction, (long)SIGUSR1, bad, 0L, 8L));
        show("  rt_sigprocmask", syscall(SYS_rt_sigprocmask, 0L, bad, 0L, 8L));
        show("  sigaltstack", syscall(SYS_sigaltstack, bad, 0L));
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        show("  wait4", syscall(SYS_wait4, (long)child, bad, 0L, 0L));
        waitpid(child, 0, 0);
    }

    /* What begins well and ends badly. */
    memcpy(pages + 4090, "abcdef", 6);
    show("a path that runs into nothing", open(pages + 4090, O_RDONLY));
    show("the bytes in the pipe are still there", read(fds[0], pages, 10));
    printf("'%.10s'\n", pages);
    long wrote = write(fds[1], pages + 4090, 100);
    check("a write that runs into nothing writes at most what is there",
          wrote == -1 ? errno == EFAULT : wrote <= 6);
    mprotect(pages, 4096, PROT_READ);
    show("fstat into a page that can only be read", fstat(fds[0], (struct stat *)pages));
    return verdict();
}
