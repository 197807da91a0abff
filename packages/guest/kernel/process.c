/*
 * process.c: processes are born (fork), end (exit) and are collected (wait).
 */
#include "defs.h"

struct process *process_table[PROCESSES];
int process_slots;
struct process *init_process;

static i32 last_pid;
static struct process *to_bury; /* nobody waits for it, and it has left its stack */

static bool stack_mapped[PROCESSES]; /* a slot keeps its kernel stack for the next process */

struct process *process_find(i32 pid) {
    for (int slot = 0; slot < process_slots; slot++)
        if (process_table[slot] && process_table[slot]->pid == pid) return process_table[slot];
    return NULL;
}

static i32 new_pid(void) {
    for (;;) {
        last_pid = last_pid == 32767 ? 2 : last_pid + 1;
        bool taken = false;
        for (int slot = 0; slot < process_slots && !taken; slot++) {
            struct process *p = process_table[slot];
            taken = p && (p->pid == last_pid || p->group == last_pid || p->session == last_pid);
        }
        if (!taken) return last_pid;
    }
}

static bool prepare_stack(int slot) {
    if (stack_mapped[slot]) return true;
    frame low = frame_take(), high = low ? frame_take() : 0;
    if (high && machine_map_stack(slot, low, high)) {
        stack_mapped[slot] = true;
        return true;
    }
    if (low) frame_put(low);
    if (high) frame_put(high);
    return false;
}

/* A process in a slot, with a kernel stack, signals and a pid; or NULL and an error. */
static struct process *new_process(i64 *error) {
    /* The last slots are for pid 1 alone: it must be able to clean up after a fork bomb. */
    int limit = current && current != init_process ? PROCESSES - 8 : PROCESSES, slot = 0;
    while (slot < limit && process_table[slot]) slot++;
    *error = -EAGAIN;
    if (slot == limit) return NULL;
    *error = -ENOMEM;
    struct process *process = allocate(sizeof *process);
    if (!process) return NULL;
    process->signals = allocate(sizeof *process->signals);
    if (!process->signals || !prepare_stack(slot)) {
        release(process->signals);
        release(process);
        return NULL;
    }
    process->slot = slot;
    process->pid = new_pid();
    process->state = STATE_SLEEPING;
    process->started = machine_time();
    u64 top = machine_stack_top(slot);
    process->registers = (struct registers *)(top - sizeof(struct registers));
    process->stack = machine_first_stack(top);
    process_table[slot] = process;
    if (slot >= process_slots) process_slots = slot + 1;
    return process;
}

static void free_process(struct process *process) {
    process_table[process->slot] = NULL;
    while (process_slots && !process_table[process_slots - 1]) process_slots--;
    if (process->files) files_release(process->files);
    if (process->directory) inode_release(process->directory);
    if (process->space) space_release(process->space);
    release(process->signals);
    release(process);
}

struct process *process_first(void) {
    i64 error;
    struct process *process = new_process(&error);
    if (!process) panic("no memory for the first process");
    process->files = allocate(sizeof *process->files);
    if (!process->files) panic("no memory for the first process");
    process->group = process->session = process->pid;
    process->directory = root_directory;
    inode_hold(root_directory);
    process->umask = 022;
    machine_fpu_reset(process->fpu);
    return process;
}

static void add_child(struct process *parent, struct process *child) {
    child->parent = parent;
    child->sibling = parent->children;
    parent->children = child;
}

static void remove_child(struct process *child) {
    struct process **link = &child->parent->children;
    while (*link != child) link = &(*link)->sibling;
    *link = child->sibling;
    child->parent = NULL;
}

/* fork, vfork and what clone() has of them. `stack` 0: the parent's. */
i64 process_fork(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls) {
    i64 error;
    struct process *child = new_process(&error);
    if (!child) return error;
    i32 pid = child->pid;

    if (flags & CLONE_VM) {
        child->space = current->space;
        child->space->users++;
    } else {
        child->space = space_fork(current->space);
    }
    child->files = files_copy(current->files);
    if (!child->space || !child->files) {
        free_process(child);
        return -ENOMEM;
    }
    child->directory = current->directory;
    inode_hold(child->directory);
    child->group = current->group;
    child->session = current->session;
    child->umask = current->umask;
    child->uid = current->uid, child->gid = current->gid;
    child->euid = current->euid, child->egid = current->egid;
    child->suid = current->suid, child->sgid = current->sgid;
    memcpy(child->signals->actions, current->signals->actions, sizeof child->signals->actions);
    child->blocked = current->restore_blocked ? current->saved_blocked : current->blocked;
    if (!(flags & CLONE_VM) || flags & CLONE_VFORK) child->alternate = current->alternate;
    memcpy(child->name, current->name, sizeof child->name);
    machine_fpu_save(child->fpu);
    child->fs = flags & CLONE_SETTLS ? tls : current->fs;
    child->gs = current->gs;
    if (flags & CLONE_CHILD_CLEARTID) child->clear_tid = child_tid;

    *child->registers = *current->registers;
    child->registers->rax = 0;
    child->registers->vector = VECTOR_NONE;
    if (stack) child->registers->rsp = stack;

    if (flags & CLONE_PARENT_SETTID && copy_out(parent_tid, &pid, sizeof pid)) pid = -EFAULT;
    if (flags & CLONE_CHILD_SETTID && pid > 0) {
        i64 bad = flags & CLONE_VM ? copy_out(child_tid, &pid, sizeof pid)
                                   : space_write(child->space, child_tid, &pid, sizeof pid);
        if (bad && bad != -ENOMEM) bad = 0; /* as on Linux, a wrong address here is not an error */
        if (bad) pid = -ENOMEM;
    }
    if (pid < 0) {
        free_process(child);
        return pid;
    }
    add_child(current, child);
    child->vforked = flags & CLONE_VFORK;
    make_ready(child);
    /* The child is known by its pid from here on: it may be gone when this process runs again. */
    while (flags & CLONE_VFORK) {
        child = process_find(pid);
        if (!child || child->parent != current || !child->vforked) break;
        if (sleep_killable(&current->child_events)) break;
    }
    return pid;
}

/* The new program (or the end) of a child that the parent waits for in vfork. */
void process_end_vfork(void) {
    if (!current->vforked) return;
    current->vforked = false;
    if (current->parent) wake_all(&current->parent->child_events);
}

static void adopt_children(void) {
    while (current->children) {
        struct process *child = current->children;
        remove_child(child);
        add_child(init_process, child);
        if (child->state == STATE_ZOMBIE) {
            signal_send(init_process, SIGCHLD, NULL);
            wake_all(&init_process->child_events);
        }
    }
}

/* A group with stopped members loses its last tie to its session: POSIX wakes them up. */
static void release_orphans(i32 group) {
    if (!group_is_orphaned(group)) return;
    for (int slot = 0; slot < process_slots; slot++) {
        struct process *p = process_table[slot];
        if (!p || p->group != group || p->state != STATE_STOPPED) continue;
        signal_send_group(group, SIGHUP, NULL);
        signal_send_group(group, SIGCONT, NULL);
        return;
    }
}

_Noreturn void process_exit(i32 status) {
    if (current == init_process) panic("init ended with wait status %x", (u32)status);
    current->killed = false;
    current->blocked = ~0ull;
    timer_stop(&current->alarm);
    if (current->clear_tid && current->space->users > 1) {
        u32 zero = 0;
        if (!copy_out(current->clear_tid, &zero, sizeof zero)) futex_wake(current->clear_tid, 1);
    }
    files_release(current->files);
    current->files = NULL;
    inode_release(current->directory);
    current->directory = NULL;
    struct space *space = current->space;
    use_space(NULL);
    current->space = NULL;
    space_release(space);
    process_end_vfork();
    adopt_children();
    console_hang_up();

    struct process *parent = current->parent;
    current->exit_status = status;
    current->state = STATE_ZOMBIE;
    i32 signal = status & 0x7f;
    struct signal_info info = {signal ? CLD_KILLED : CLD_EXITED, current->pid,
                               signal ? signal : status >> 8, 0};
    const struct linux_sigaction *action = &parent->signals->actions[SIGCHLD - 1];
    bool unwanted = action->handler == SIG_IGN || action->flags & SA_NOCLDWAIT;
    if (!unwanted || action->handler != SIG_IGN) signal_send(parent, SIGCHLD, &info);
    release_orphans(current->group);
    if (unwanted) {
        remove_child(current);
        to_bury = current;
    }
    wake_all(&parent->child_events);
    schedule();
    panic("process %d ran after its end", current->pid);
}

/* Frees a process that nobody waits for, once another one runs. */
void process_bury(void) {
    if (!to_bury || to_bury == current) return;
    struct process *process = to_bury;
    to_bury = NULL;
    free_process(process);
}

void kernel_begin(struct registers *registers) {
    process_bury();
    kernel_return(registers);
}

static bool wanted(const struct process *child, i32 pid) {
    if (pid == -1) return true;
    if (pid == 0) return child->group == current->group;
    return pid > 0 ? child->pid == pid : child->group == -pid;
}

/*
 * Waits for a change of a child: pid as for wait4(), options WNOHANG, WUNTRACED, WCONTINUED, WEXITED,
 * WNOWAIT. Gives the child's pid, or 0 with WNOHANG.
 */
i64 process_wait(i32 pid, i32 options, i32 *status, u64 *time) {
    for (;;) {
        bool any = false;
        for (struct process *child = current->children; child; child = child->sibling) {
            if (!wanted(child, pid)) continue;
            any = true;
            *time = child->run_time + child->children_time;
            i32 found = child->pid;
            if (child->state == STATE_ZOMBIE && options & WEXITED) {
                *status = child->exit_status;
                if (options & WNOWAIT) return found;
                current->children_time += *time;
                remove_child(child);
                free_process(child);
                return found;
            }
            if (child->state == STATE_STOPPED && !child->stop_reported && options & WUNTRACED) {
                *status = child->exit_status;
                if (!(options & WNOWAIT)) child->stop_reported = true;
                return found;
            }
            if (child->continued && options & WCONTINUED) {
                *status = 0xffff;
                if (!(options & WNOWAIT)) child->continued = false;
                return found;
            }
        }
        if (!any) return -ECHILD;
        if (options & WNOHANG) return 0;
        i64 error = sleep_on(&current->child_events);
        if (error) return error;
    }
}

bool group_in_session(i32 group, i32 session) {
    for (int slot = 0; slot < process_slots; slot++) {
        struct process *p = process_table[slot];
        if (p && p->group == group && p->session == session) return true;
    }
    return false;
}

/* No member has a parent in another group of the session: nobody could continue it. */
bool group_is_orphaned(i32 group) {
    for (int slot = 0; slot < process_slots; slot++) {
        struct process *p = process_table[slot];
        if (!p || p->group != group || p->state == STATE_ZOMBIE || !p->parent) continue;
        if (p->parent->group != group && p->parent->session == p->session) return false;
    }
    return true;
}

int process_count(void) {
    int count = 0;
    for (int slot = 0; slot < process_slots; slot++) count += process_table[slot] != NULL;
    return count;
}
