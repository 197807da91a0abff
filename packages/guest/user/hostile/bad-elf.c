/*
 * bad-elf [ROUNDS]: writes damaged copies of its own ELF file and executes them.
 *
 * First what liars write (sizes beyond the file, addresses in the kernel, headers nowhere), then the file cut
 * short in many places, then ROUNDS copies with random bits of the headers flipped. A child is refused,
 * crashes, or runs: all of that is right. Each has an alarm, which execution does not clear. Status 0 when
 * all children have ended.
 */
#include "random.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char original[131072], image[131072];
static size_t image_bytes;
static char path[64];
static int refused, crashed, ran;

static void execute(const void *bytes, size_t size)
{
    char *arguments[] = { "x", 0 }, *environment[] = { 0 };
    int status;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) < 0) {
        perror(path);
        exit(1);
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(1);
        execve(path, arguments, environment);
        _exit(errno == ENOEXEC || errno == EINVAL || errno == ENOMEM || errno == EFAULT || errno == EACCES ||
                      errno == ENOENT || errno == ELOOP || errno == EIO || errno == EPERM
                  ? 100
                  : 101);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("bad-elf");
        exit(1);
    }
    if (WIFSIGNALED(status))
        crashed++;
    else if (WEXITSTATUS(status) == 100)
        refused++;
    else
        ran++;
}

static Elf64_Ehdr *header(void)
{
    memcpy(image, original, image_bytes);
    return (Elf64_Ehdr *)image;
}

static Elf64_Phdr *segment(int index)
{
    Elf64_Ehdr *elf = header();
    return (Elf64_Phdr *)(image + elf->e_phoff) + index;
}

static void lies(void)
{
    static const uint64_t values[] = { 0,
                                       1,
                                       4095,
                                       0x7fffffff,
                                       0xffffffff,
                                       0x7fffffffffff,
                                       0x800000000000,
                                       0xffffffff80100000,
                                       0x7fffffffffffffff,
                                       0xfffffffffffff000,
                                       0xffffffffffffffff };
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        uint64_t value = values[i];
        header()->e_phoff = value, execute(image, image_bytes);
        header()->e_phnum = (uint16_t)value, execute(image, image_bytes);
        header()->e_phentsize = (uint16_t)value, execute(image, image_bytes);
        header()->e_entry = value, execute(image, image_bytes);
        header()->e_type = (uint16_t)value, execute(image, image_bytes);
        header()->e_machine = (uint16_t)value, execute(image, image_bytes);
        for (int index = 0; index < 3; index++) {
            segment(index)->p_offset = value, execute(image, image_bytes);
            segment(index)->p_vaddr = value, execute(image, image_bytes);
            segment(index)->p_filesz = value, execute(image, image_bytes);
            segment(index)->p_memsz = value, execute(image, image_bytes);
            segment(index)->p_align = value, execute(image, image_bytes);
            segment(index)->p_flags = (uint32_t)value, execute(image, image_bytes);
            segment(index)->p_type = (uint32_t)value, execute(image, image_bytes);
            segment(index)->p_type = PT_INTERP, execute(image, image_bytes);
        }
    }
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 300;
    /* A copy that runs after all. */
    if (strcmp(argv[0], "x") == 0)
        return 0;

    int self = open("/proc/self/exe", O_RDONLY);
    image_bytes = (size_t)read(self, original, sizeof(original));
    close(self);
    snprintf(path, sizeof(path), "/tmp/bad-elf.%d", getpid());

    lies();
    for (size_t size = 0; size < image_bytes; size += size < 512 ? 7 : 509)
        execute(original, size);
    random_state = 1;
    for (int round = 0; round < rounds; round++) {
        header();
        for (unsigned flips = 1 + next_random() % 4; flips > 0; flips--) {
            uint64_t bit = next_random() % (344 * 8);
            image[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        execute(image, image_bytes);
    }
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < 4096; i += 8) {
            uint64_t bits = next_random();
            memcpy(image + i, &bits, 8);
        }
        if (round % 2)
            memcpy(image, "\177ELF\2\1\1", 7);
        execute(image, 4096);
    }
    unlink(path);
    printf("%d refused, %d crashed, %d ran\n", refused, crashed, ran);
    return 0;
}
