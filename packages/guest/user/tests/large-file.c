/* A file of two megabytes: written in uneven pieces, read back in others, mapped, cut and grown. */
#include "test.h"
#include <sys/mman.h>

enum { SIZE = 2 << 20 };

static unsigned char piece[100000];

static unsigned char at(long offset) { return (unsigned char)(offset * 31 >> 4 ^ offset >> 13); }

/* Compares `size` bytes of the piece with what belongs at `offset`, and gives the number that differ. */
static long wrong(long offset, long size)
{
    long count = 0;
    for (long i = 0; i < size; i++)
        count += piece[i] != at(offset + i);
    return count;
}

int main(void)
{
    enter_scratch();
    int fd = open("large", O_RDWR | O_CREAT, 0600);
    for (long offset = 0; offset < SIZE;) {
        long size = 1 + offset % 65521;
        if (size > SIZE - offset)
            size = SIZE - offset;
        for (long i = 0; i < size; i++)
            piece[i] = at(offset + i);
        if (write(fd, piece, (size_t)size) != size) {
            perror("write");
            return 1;
        }
        offset += size;
    }
    show("written", lseek(fd, 0, SEEK_CUR));
    lseek(fd, 0, SEEK_SET);
    long bad = 0, total = 0, got;
    while ((got = read(fd, piece, 77777)) > 0) {
        bad += wrong(total, got);
        total += got;
    }
    printf("%ld bytes read, %ld wrong\n", total, bad);
    failures += bad != 0;

    unsigned char *map = mmap(0, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
    bad = 0;
    for (long offset = 0; offset < SIZE; offset += 997)
        bad += map[offset] != at(offset);
    printf("mapped: %ld wrong\n", bad);
    munmap(map, SIZE);

    show("cut in the middle of a page", ftruncate(fd, 1234567));
    show("and grown", ftruncate(fd, 2000000));
    got = pread(fd, piece, 100000, 1200000);
    long zeros = 0;
    for (long i = 34567; i < got; i++)
        zeros += piece[i] == 0;
    printf("%ld bytes, %ld wrong before the cut, %ld zeros behind it\n", got, wrong(1200000, 34567), zeros);
    show("a write far away", pwrite(fd, "x", 1, 100000000));
    struct stat properties;
    fstat(fd, &properties);
    printf("%ld bytes, few of them there: %d\n", properties.st_size, properties.st_blocks < 100000);
    close(fd);
    show("unlink", unlink("large"));
    leave_scratch();
    return verdict();
}
