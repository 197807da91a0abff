/* Memory maps, and the faults that fill them. */
#include "bench.h"
#include <sys/mman.h>

enum { PAGE_BYTES = 4096, MAP_BYTES = 65536 };

static unsigned char *map(size_t size)
{
    unsigned char *memory = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    return memory;
}

/* One page of the sixteen is touched, another one each time; it must come as zeros. */
static uint64_t run_map(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        unsigned char *memory = map(MAP_BYTES);
        volatile unsigned char *byte =
            memory + (unsigned long)i * PAGE_BYTES % MAP_BYTES + (unsigned long)i % PAGE_BYTES;
        unsigned char fresh = *byte;
        *byte = (unsigned char)(fresh + i);
        checksum = mix(checksum, (uint64_t)fresh << 8 | *byte);
        require(munmap(memory, MAP_BYTES) == 0, "munmap");
    }
    return checksum;
}

static unsigned char *pages;

/* All pages of both halves are one map, so that an operation is a fault and nothing else. */
static void prepare_fault(long count) { pages = map(2 * (size_t)count * PAGE_BYTES); }

/* The first access is a store: a load first would map the shared zero page and make it two faults. */
static uint64_t run_fault(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        volatile unsigned char *page = pages + (unsigned long)i * PAGE_BYTES;
        page[(unsigned long)i % PAGE_BYTES] = (unsigned char)i;
        checksum = mix(checksum, (uint64_t)page[0] << 8 | page[(unsigned long)i % PAGE_BYTES]);
    }
    return checksum;
}

const struct benchmark map_unmap = { "mmap", "map 64 KiB, touch one page, unmap", 0, run_map, 0 };
const struct benchmark page_fault = { "page-fault", "first store to a fresh anonymous page", prepare_fault,
                                      run_fault, 0 };
