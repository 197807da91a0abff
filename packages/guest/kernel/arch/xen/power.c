/*
 * power.c: the end of the domain, with a value for whoever looks at its shutdown code.
 */
#include "paravirt.h"

_Noreturn void machine_power_off(u32 value) {
    u32 reason = value;
    if (value) (void)hypercall2(HYPERVISOR_sched_op, SCHEDOP_shutdown_code, (u64)&reason);
    reason = SHUTDOWN_poweroff;
    (void)hypercall2(HYPERVISOR_sched_op, SCHEDOP_shutdown, (u64)&reason);
    for (;;) (void)hypercall2(HYPERVISOR_sched_op, SCHEDOP_block, 0); /* no toolstack here */
}
