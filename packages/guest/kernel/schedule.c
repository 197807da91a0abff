/*
 * schedule.c: which process runs, and how the others wait.
 *
 * Ready processes take turns. The kernel itself is never preempted, so a process gives the processor
 * up only here, and a condition that was tested still holds when sleep_on() is called.
 */
#include "defs.h"

struct process *current;
bool schedule_wanted;

static struct queue ready;
static struct queue pollers; /* in poll() and its kin: woken by whatever may interest them */
static frame loaded_root;

static void append(struct queue *queue, struct process *process) {
    process->queue = queue;
    process->next = NULL;
    if (queue->tail) queue->tail->next = process;
    else queue->head = process;
    queue->tail = process;
}

static struct process *take_first(struct queue *queue) {
    struct process *process = queue->head;
    if (!process) return NULL;
    queue->head = process->next;
    if (!queue->head) queue->tail = NULL;
    process->queue = NULL;
    return process;
}

static void take_out(struct process *process) {
    struct queue *queue = process->queue;
    if (!queue) return;
    struct process *before = NULL, *at = queue->head;
    while (at != process) {
        before = at;
        at = at->next;
    }
    if (before) before->next = process->next;
    else queue->head = process->next;
    if (queue->tail == process) queue->tail = before;
    process->queue = NULL;
}

void make_ready(struct process *process) {
    if (process->state == STATE_READY || process->state == STATE_RUNNING) return;
    take_out(process);
    process->state = STATE_READY;
    append(&ready, process);
    if (current && current->state == STATE_RUNNING) timer_start_slice();
}

void wake_all(struct queue *queue) {
    while (queue->head) make_ready(queue->head);
}

void wake_pollers(void) {
    if (pollers.head) wake_all(&pollers);
}

void use_space(struct space *space) {
    frame root = space ? space->root : 0;
    if (root == loaded_root) return;
    loaded_root = root;
    machine_load_tables(root);
}

static void start_running(struct process *next, u64 now) {
    next->run_since = now;
    next->state = STATE_RUNNING;
}

/* Lets others run, if there are any; returns when it is this process's turn again. */
void schedule(void) {
    struct process *previous = current, *next;
    schedule_wanted = false;
    if (previous->state == STATE_RUNNING) {
        if (!ready.head) return;
        previous->state = STATE_READY;
        append(&ready, previous);
    }
    u64 now = machine_time();
    previous->run_time += now - previous->run_since;
    if (!ready.head) {
        do {
            timer_before_idle();
            machine_idle();
        } while (!ready.head);
        now = machine_time();
    }
    next = take_first(&ready);
    start_running(next, now);
    if (ready.head) timer_start_slice();
    if (next == previous) return;
    previous->switches++;
    current = next;
    if (previous->state != STATE_ZOMBIE) machine_fpu_save(previous->fpu);
    machine_fpu_load(next->fpu);
    machine_set_bases(next->fs, next->gs);
    machine_set_kernel_stack(machine_stack_top(next->slot));
    use_space(next->space);
    machine_switch(&previous->stack, next->stack);
    process_bury();
}

/* Leaves the boot stack for the first process. */
_Noreturn void schedule_first(struct process *first) {
    u64 boot_stack;
    current = first;
    start_running(first, machine_time());
    machine_fpu_load(first->fpu);
    machine_set_bases(first->fs, first->gs);
    machine_set_kernel_stack(machine_stack_top(first->slot));
    use_space(first->space);
    machine_switch(&boot_stack, first->stack);
    __builtin_unreachable();
}

/* Waits until woken: 0, or -ERESTARTSYS at once when a signal wants to be handled. The caller tests
 * its condition again, and may be woken for nothing. */
i64 sleep_on(struct queue *queue) {
    if (signal_waiting(current)) return -ERESTARTSYS;
    current->state = STATE_SLEEPING;
    append(queue, current);
    schedule();
    return 0;
}

/* The same, deaf to all but SIGKILL. */
i64 sleep_killable(struct queue *queue) {
    if (current->killed) return -ERESTARTSYS;
    current->state = STATE_SLEEPING;
    append(queue, current);
    schedule();
    return 0;
}

static void time_out(struct process *process) {
    process->timed_out = true;
    if (process->state == STATE_SLEEPING) make_ready(process);
}

/* The same with a deadline: -ETIMEDOUT when it has come. */
i64 sleep_until(struct queue *queue, u64 deadline) {
    current->timed_out = false;
    if (deadline <= machine_time()) return -ETIMEDOUT;
    current->sleep.fire = time_out;
    current->sleep.owner = current;
    timer_start(&current->sleep, deadline);
    i64 error = sleep_on(queue);
    timer_stop(&current->sleep);
    if (error) return error;
    return current->timed_out ? -ETIMEDOUT : 0;
}

i64 sleep_poll(u64 deadline) {
    return deadline == ~0ull ? sleep_on(&pollers) : sleep_until(&pollers, deadline);
}
