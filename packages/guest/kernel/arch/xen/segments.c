/*
 * segments.c: GDT, kernel stack, segment bases: what programs run with.
 */
#include "paravirt.h"

/* Programs see the selectors that they see on the native build. */
void segments_init(void) {
    u64 frames[] = {physical_to_machine[kernel_tables.gdt]};
    i64 error = hypercall2(HYPERVISOR_set_gdt, (u64)frames, USER_CS / 8 + 1);
    if (error) panic("set_gdt failed: error %d", (int)-error);
}

/* These two count when a program runs again, and entry.S makes what waits before that. */
void machine_set_kernel_stack(u64 top) { batch_call(HYPERVISOR_stack_switch, FLAT_KERNEL_SS, top); }

void machine_set_bases(u64 fs, u64 gs) {
    batch_call(HYPERVISOR_set_segment_base, SEGBASE_FS, fs);
    batch_call(HYPERVISOR_set_segment_base, SEGBASE_GS_USER, gs);
}

/* CPUID does not trap; behind this prefix Xen answers it. */
u32 machine_features(void) {
    u32 a = 1, b, c = 0, d;
    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d;
}
