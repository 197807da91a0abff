/* Memory maps. */
#pragma once
#include <sys/types.h>

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4

#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20

#define MAP_FAILED ((void *)-1)
#define MREMAP_MAYMOVE 1
#define MADV_DONTNEED 4

void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset);
int munmap(void *where, size_t size);
int mprotect(void *where, size_t size, int protection);
void *mremap(void *old, size_t old_size, size_t new_size, int flags);
int madvise(void *where, size_t size, int advice);
