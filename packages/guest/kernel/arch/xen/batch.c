/*
 * batch.c: hypercalls that need not be made one by one.
 *
 * A transition to the hypervisor costs far more than what it then does for one page-table entry. So
 * entries are gathered into lists for mmu_update and mmuext_op, these and others into a multicall,
 * and all of it is made in order, when it has to count. TLB flushes come last, once.
 */
#include "paravirt.h"

bool batch_off;
u32 batch_waiting;

static struct multicall_entry calls[64] __attribute__((aligned(64)));
static struct mmu_update updates[1024];
static struct mmuext_op operations[64];
static u32 update_count, operation_count;

static u64 flush_pages[16];
static u32 flush_count; /* more than fit: flush everything */

/* A failed hypercall here is a bug of the kernel: what it asked for is undone in part. */
static _Noreturn void failed(const struct multicall_entry *call) {
    panic("hypercall %u failed: error %d; %u arguments, %u updates waiting", (u32)call->op, (int)-call->result,
          (u32)call->args[1], update_count);
}

static struct multicall_entry *add_call(u64 number) {
    if (batch_waiting == ARRAY_LENGTH(calls)) batch_flush();
    struct multicall_entry *call = &calls[batch_waiting++];
    *call = (struct multicall_entry){.op = number};
    return call;
}

static bool last_call_is(u64 number) { return batch_waiting && calls[batch_waiting - 1].op == number; }

void batch_call(u64 number, u64 a, u64 b) {
    struct multicall_entry *call = add_call(number);
    call->args[0] = a;
    call->args[1] = b;
    if (batch_off) batch_flush();
}

void batch_update(u64 machine_address, u64 entry) {
    if (update_count == ARRAY_LENGTH(updates)) batch_flush();
    if (!last_call_is(HYPERVISOR_mmu_update)) {
        struct multicall_entry *call = add_call(HYPERVISOR_mmu_update);
        call->args[0] = (u64)&updates[update_count];
        call->args[3] = DOMID_SELF;
    }
    updates[update_count++] = (struct mmu_update){machine_address, entry};
    calls[batch_waiting - 1].args[1]++;
    if (batch_off) batch_flush();
}

void batch_operation(u32 command, u64 argument) {
    if (operation_count == ARRAY_LENGTH(operations)) batch_flush();
    if (!last_call_is(HYPERVISOR_mmuext_op)) {
        struct multicall_entry *call = add_call(HYPERVISOR_mmuext_op);
        call->args[0] = (u64)&operations[operation_count];
        call->args[3] = DOMID_SELF;
    }
    operations[operation_count++] = (struct mmuext_op){command, argument, 0};
    calls[batch_waiting - 1].args[1]++;
    if (batch_off) batch_flush();
}

static void make_calls(void) {
    u32 count = batch_waiting;
    batch_waiting = 0;
    if (count == 1) {
        struct multicall_entry *call = &calls[0];
        call->result = hypercall4(call->op, call->args[0], call->args[1], call->args[2], call->args[3]);
        if (call->result < 0) failed(call);
    } else if (count) {
        i64 error = hypercall2(HYPERVISOR_multicall, (u64)calls, count);
        if (error) panic("multicall of %u failed: error %d", count, (int)-error);
        for (u32 i = 0; i < count; i++)
            if (calls[i].result < 0) failed(&calls[i]);
    }
    update_count = operation_count = 0;
}

/* What was written is flushed after it is written, in the same hypercall. */
void batch_flush(void) {
    u32 count = flush_count;
    flush_count = 0;
    if (count) {
        if (batch_waiting >= ARRAY_LENGTH(calls) - 1 || operation_count + count > ARRAY_LENGTH(operations)) make_calls();
        bool off = batch_off;
        batch_off = false;
        if (count > ARRAY_LENGTH(flush_pages)) batch_operation(MMUEXT_TLB_FLUSH_LOCAL, 0);
        else
            for (u32 i = 0; i < count; i++) batch_operation(MMUEXT_INVLPG_LOCAL, flush_pages[i]);
        batch_off = off;
    }
    make_calls();
}

void machine_commit(void) {
    if (batch_waiting || flush_count) batch_flush();
}

void machine_flush_page(u64 address) {
    if (flush_count < ARRAY_LENGTH(flush_pages)) flush_pages[flush_count] = address;
    if (flush_count <= ARRAY_LENGTH(flush_pages)) flush_count++;
    if (batch_off) batch_flush();
}

void machine_flush_all(void) {
    flush_count = ARRAY_LENGTH(flush_pages) + 1;
    if (batch_off) batch_flush();
}
