/*
 * machine.h: everything privileged that the kernel does, and nothing else.
 *
 * arch/native implements it with the processor's own instructions, arch/xen by asking a hypervisor.
 * So there are three rules for the rest of the kernel:
 *   - a page-table entry is made by machine_entry() and written by machine_write_entry() only;
 *   - a written entry and a flush count, and an entry may be read back, after machine_commit();
 *   - a frame is a table from machine_take_table() to machine_give_table(), and in between nobody
 *     writes to it by any other way.
 * The kernel runs with interrupts off; they are taken in user mode and inside machine_idle().
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "layout.h"
#include "types.h"

/* What user mode (or machine_idle) was doing, as saved at the top of the kernel stack. */
struct registers {
    u64 r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    u64 vector;
    u64 error; /* the processor's error code; for a system call the number, as RAX is the result */
    u64 rip, cs, rflags, rsp, ss;
};

#define VECTOR_SYSCALL 0x100
#define VECTOR_NONE 0x101 /* registers that no event belongs to any more */

enum {
    FAULT_DIVIDE = 0, FAULT_DEBUG = 1, FAULT_NMI = 2, FAULT_BREAKPOINT = 3, FAULT_OVERFLOW = 4,
    FAULT_BOUND = 5, FAULT_OPCODE = 6, FAULT_NO_FPU = 7, FAULT_DOUBLE = 8, FAULT_SEGMENT = 11,
    FAULT_STACK = 12, FAULT_PROTECTION = 13, FAULT_PAGE = 14, FAULT_X87 = 16, FAULT_ALIGNMENT = 17,
    FAULT_MACHINE = 18, FAULT_SIMD = 19,
};

#define PAGE_ERROR_PRESENT 1u
#define PAGE_ERROR_WRITE 2u
#define PAGE_ERROR_USER 4u
#define PAGE_ERROR_FETCH 16u

#define RFLAGS_FIXED 0x2ull
#define RFLAGS_TF 0x100ull
#define RFLAGS_IF 0x200ull
#define RFLAGS_DF 0x400ull
#define RFLAGS_RF 0x10000ull
/* What a program may set: CF PF AF ZF SF TF DF OF NT RF AC ID; and what of it a signal handler may
 * change in the context it returns to (Linux's FIX_EFLAGS): all but NT and ID. */
#define RFLAGS_USER 0x254dd5ull
#define RFLAGS_SIGNAL 0x050dd5ull

/* A frame is a page of RAM by number; 0 is none. */
typedef u32 frame;

/* Bits of a page-table entry. */
#define ENTRY_PRESENT 1ull
#define ENTRY_WRITABLE 2ull
#define ENTRY_USER 4ull
#define ENTRY_HELD 0x200ull /* software: not present, but keeps its frame (PROT_NONE) */
#define ENTRY_NO_EXECUTE (1ull << 63)

struct memory_region {
    u64 start, end; /* physical, page-aligned */
};

struct boot_info {
    struct memory_region ram[32]; /* free to use; without the image, the initrd and the first MiB */
    usize ram_count;
    const u8 *initrd;
    u64 initrd_size;
    char command_line[1024];
    u64 top; /* physical end of the highest RAM */
};

/* start.c: calls kernel_main() on the boot stack. After the frames can be allocated, kernel_main
 * calls machine_init(), which replaces the loader's tables by the kernel's own. */
void machine_init(const struct boot_info *info);

/* tables.c */
u64 machine_entry(frame target, u64 flags);
frame machine_entry_frame(u64 entry);
frame machine_take_table(int level); /* empty; level 4: with the kernel half; 0: memory is out */
void machine_give_table(frame table, int level); /* empty again, and nowhere in use after a commit */
void machine_write_entry(u64 *slot, u64 entry);
void machine_commit(void);
void machine_flush_page(u64 address);
void machine_flush_all(void);
void machine_load_tables(frame root); /* 0: the kernel's own */
bool machine_map_stack(int slot, frame low, frame high); /* an 8 KiB kernel stack */
u64 machine_stack_top(int slot);

/* segments.c, entry.S */
void machine_set_kernel_stack(u64 top);
void machine_set_bases(u64 fs, u64 gs);
void machine_switch(u64 *save_stack, u64 load_stack);
u64 machine_first_stack(u64 stack_top); /* a stack that machine_switch() enters user mode from */
void machine_idle(void);
bool machine_user_registers(struct registers *registers); /* makes them safe; false: RIP is not */

/* fpu.c: 512 bytes, 16-byte aligned, as FXSAVE writes them */
void machine_fpu_reset(u8 *state);
void machine_fpu_save(u8 *state);
void machine_fpu_load(const u8 *state);
void machine_fpu_sanitize(u8 *state);

/* usercopy.S: 0, or -EFAULT after a part. The callers in user.c check the range. */
i64 machine_copy(void *to, const void *from, usize count);
i64 machine_copy_string(char *to, const char *from, usize count); /* length, or count when too long */
i64 machine_clear(void *to, usize count);
bool machine_recover(struct registers *registers); /* a fault inside one of these: make it fail */

/* clock.c: nanoseconds since boot; one deadline on the same clock */
u64 machine_time(void);
u64 machine_boot_time(void); /* nanoseconds since 1970 at boot */
void machine_arm_timer(u64 deadline);
void machine_disarm_timer(void);

/* console.c: machine_console_read returns -1 when there is nothing */
void machine_console_write(const u8 *bytes, usize count);
int machine_console_read(void);
void machine_console_listen(bool on); /* interrupts for input, or none */

u32 machine_features(void); /* EDX of CPUID leaf 1, for programs */

/* power.c */
void machine_log(const char *bytes, usize count);
_Noreturn void machine_power_off(u32 value);

/* What the machine calls: in main.c, trap.c, syscall.c. */
_Noreturn void kernel_main(struct boot_info *info);
bool kernel_syscall(struct registers *registers); /* true: the quick way back is right */
void kernel_fault(struct registers *registers, u64 address);
void kernel_timer(void);
void kernel_console(void);
void kernel_return(struct registers *registers); /* before each return to user mode */
void kernel_begin(struct registers *registers);  /* the same, the first time in a process */

#endif
