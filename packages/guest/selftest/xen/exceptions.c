/* exceptions.c: exceptions in the kernel, as Xen's trap table gives them. */
#include "xen_selftest.h"

void test_exceptions(void) {
    test_plain_exceptions(frames[0]);
    TRY("int $0x30");
    check_event("open-vector", VECTOR_OPEN, 0, 2);
    must("fpu_taskswitch", hypercall2(HYPERVISOR_fpu_taskswitch, 1, 0));
    TRY("fninit");
    check_event("x87-with-ts", NM, 0, 0);
    TRY("fninit");
    check("ts-ends-with-its-exception", last.count, 0);
    TRY("mov $0x1fb, %%eax\n mov %%eax, %%ds");
    check_event("selector-beyond-gdt", GP, 0x1f8, 5);
    TRY("ud2");
    check("kernel-selector-has-no-ring", last.frame.cs & 3, 0);
    TRY("mov %%rsp, %%rdx\n ud2");
    check("stack-pointer-is-saved", last.frame.rsp, last.frame.rdx);
}
