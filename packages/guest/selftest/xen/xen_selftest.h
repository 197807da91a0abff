/* xen_selftest.h: what the files of the self-test for Xen's paravirtual interface share. */
#ifndef XEN_SELFTEST_H
#define XEN_SELFTEST_H

#include "report.h"
#include "xen.h"

enum {
    VECTOR_OPEN = 0x30,   /* user mode may raise it */
    VECTOR_CLOSED = 0x31, /* it may not */
    STUBS = 0x32,
    VECTOR_SYSCALL = 0x40,
    VECTOR_UPCALL = 0x41,
    VECTORS = 0x42,
};

/* Error numbers of Xen's public errno.h. */
enum { EPERM = 1, EBUSY = 16, EEXIST = 17, EINVAL = 22, ENOSYS = 38 };

/* main.c */
typedef bool (*hook)(struct frame *frame);
extern hook hooks[VECTORS];
extern const struct xen_start_info *info;
extern volatile struct shared_info *shared;
extern u64 return_flags; /* of the iret hypercall that ends event() */
extern u8 mask_inside;   /* evtchn_upcall_mask as the last handler found it */
void must(const char *what, i64 result);
u64 wanted_error(int number); /* what check() compares a refusal with */
u64 read_time(void);          /* nanoseconds of Xen's clock */

/* power.c of the kernel */
_Noreturn void machine_power_off(u32 value);

/* entry.S */
extern char stubs[], entry_syscall[], entry_upcall[];
extern char user_text[], user_nothing[], user_divide[], user_undefined[], user_halt[], user_cli[], user_cr0[];
extern char user_port[], user_open_gate[], user_closed_gate[], user_read[], user_write[], user_fetch[];
extern char user_call[], user_call_end[], user_fs[];
void enter_user(u64 rip, u64 rsp, u64 rflags, u64 argument);
_Noreturn void leave_user(void);

/* memory.c: pages for tests, in a level-4 slot of their own, which both of the domain's roots have. */
#define PAGES 0x0000008000000000ull
#define TEST_PAGES 8
#define USER_CODE_PAGE 12
#define USER_STACK_PAGE 13
#define SHARED_PAGE 14
#define page_address(page) (PAGES + (u64)(page) * PAGE_SIZE)
extern u8 frames[TEST_PAGES][PAGE_SIZE];
extern u64 level1[512], level2[512], level3[512];
void memory_init(void);
u64 machine_frame(const void *symbol);
u64 entry(const void *symbol, u64 flags); /* present */
i64 map_at(u64 address, u64 entry);       /* as update_va_mapping says */
i64 update(u64 machine_address, u64 value);
i64 operate(u32 command, u64 argument);
void map_page(int page, u64 entry);

/* user.c */
void user_init(void);
void run_user(const char *code, u64 argument);
u64 user_at(const char *code);
extern bool user_runs;

void test_exceptions(void);
void test_user(void);
void test_paging(void);
void test_refusals(void);
void test_descriptors(void);
void test_events(void);
void test_timer(void);
void test_code(void);

#endif
