/*
 * xen.h: Xen's PV ABI for x86-64, as far as this kernel uses it. Names and numbers are those of Xen's
 * public headers (xen.h, arch-x86/xen.h, arch-x86/xen-x86_64.h, event_channel.h, vcpu.h, sched.h,
 * callback.h, io/console.h).
 */
#ifndef XEN_H
#define XEN_H

/* Hypercalls: number in RAX, arguments in RDI, RSI, RDX, R10, R8, result in RAX. */
#define HYPERVISOR_set_trap_table 0
#define HYPERVISOR_mmu_update 1
#define HYPERVISOR_set_gdt 2
#define HYPERVISOR_stack_switch 3
#define HYPERVISOR_fpu_taskswitch 5
#define HYPERVISOR_update_descriptor 10
#define HYPERVISOR_multicall 13
#define HYPERVISOR_update_va_mapping 14
#define HYPERVISOR_console_io 18
#define HYPERVISOR_vm_assist 21
#define HYPERVISOR_iret 23
#define HYPERVISOR_vcpu_op 24
#define HYPERVISOR_set_segment_base 25
#define HYPERVISOR_mmuext_op 26
#define HYPERVISOR_sched_op 29
#define HYPERVISOR_callback_op 30
#define HYPERVISOR_event_channel_op 32

/* In the flags of an iret frame: go back as SYSRET does. */
#define VGCF_IN_SYSCALL 0x100

/* Xen's flat segments, in the reserved part of every GDT. */
#define FLAT_KERNEL_SS 0xe02b

/* Xen's copy of the machine-to-physical table. */
#define MACHINE_TO_PHYSICAL 0xffff800000000000

#ifndef __ASSEMBLER__
#include "types.h"

#define DOMID_SELF 0x7ff0u

struct vcpu_time_info {
    u32 version, pad0;
    u64 tsc_timestamp, system_time;
    u32 tsc_to_system_mul;
    i8 tsc_shift;
    u8 flags, pad1[2];
};

struct vcpu_info {
    u8 evtchn_upcall_pending, evtchn_upcall_mask;
    u64 evtchn_pending_sel;
    u64 cr2, pad;
    struct vcpu_time_info time;
};

struct shared_info {
    struct vcpu_info vcpu_info[32];
    u64 evtchn_pending[64], evtchn_mask[64];
    u32 wc_version, wc_sec, wc_nsec, wc_sec_hi;
};

#define SIF_INITDOMAIN (1u << 1)
#define SIF_MOD_START_PFN (1u << 3)

struct xen_start_info {
    char magic[32]; /* "xen-3.0-x86_64" */
    u64 nr_pages;
    u64 shared_info; /* machine address */
    u32 flags;
    u64 store_mfn;
    u32 store_evtchn;
    u64 console_mfn;
    u32 console_evtchn;
    u64 pt_base, nr_pt_frames;
    u64 mfn_list;
    u64 mod_start, mod_len;
    char cmd_line[1024];
};

struct mmu_update {
    u64 ptr, val;
};

#define MMUEXT_PIN_L1_TABLE 0 /* higher levels follow */
#define MMUEXT_UNPIN_TABLE 4
#define MMUEXT_NEW_BASEPTR 5
#define MMUEXT_TLB_FLUSH_LOCAL 6
#define MMUEXT_INVLPG_LOCAL 7
#define MMUEXT_NEW_USER_BASEPTR 15

struct mmuext_op {
    u32 cmd;
    u64 arg1; /* a machine frame or a linear address */
    u64 arg2;
};

#define UVMF_INVLPG 2

#define VMASST_CMD_enable 0
#define VMASST_TYPE_writable_pagetables 2

struct multicall_entry {
    u64 op;
    i64 result;
    u64 args[6];
};

#define TRAP_DPL3 3
#define TRAP_MASKS_EVENTS 4

struct trap_info {
    u8 vector, flags;
    u16 cs;
    u64 address;
};

#define CALLBACKOP_register 0
#define CALLBACKTYPE_event 0
#define CALLBACKTYPE_failsafe 1
#define CALLBACKTYPE_syscall 2
#define CALLBACKTYPE_syscall32 7
#define CALLBACKF_mask_events 1

struct callback_register {
    u16 type, flags;
    u64 address;
};

#define EVTCHNOP_bind_virq 1
#define EVTCHNOP_close 3
#define EVTCHNOP_send 4
#define EVTCHNOP_bind_ipi 7
#define EVTCHNOP_unmask 9
#define VIRQ_TIMER 0
#define VIRQ_CONSOLE 2

struct evtchn_bind_virq {
    u32 virq, vcpu, port;
};

struct evtchn_bind_ipi {
    u32 vcpu, port;
};

#define VCPUOP_stop_periodic_timer 7
#define VCPUOP_set_singleshot_timer 8
#define VCPUOP_stop_singleshot_timer 9

struct vcpu_set_singleshot_timer {
    u64 timeout_abs_ns;
    u32 flags;
};

#define SEGBASE_FS 0
#define SEGBASE_GS_USER 1

#define SCHEDOP_yield 0
#define SCHEDOP_block 1
#define SCHEDOP_shutdown 2
#define SCHEDOP_shutdown_code 5
#define SHUTDOWN_poweroff 0

#define CONSOLEIO_write 0
#define CONSOLEIO_read 1

struct xencons_interface {
    char in[1024], out[2048];
    u32 in_cons, in_prod, out_cons, out_prod;
};

static inline i64 hypercall4(u64 number, u64 a, u64 b, u64 c, u64 d) {
    i64 result;
    register u64 fourth __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(fourth)
                     : "0"(number)
                     : "rcx", "r11", "r8", "memory");
    return result;
}

static inline i64 hypercall2(u64 number, u64 a, u64 b) { return hypercall4(number, a, b, 0, 0); }
static inline i64 hypercall3(u64 number, u64 a, u64 b, u64 c) { return hypercall4(number, a, b, c, 0); }
#endif

#endif
