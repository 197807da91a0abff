/*
 * signal.c: signals: sent, waiting, and delivered on the way back to the program with the frame
 * that Linux's x86-64 ABI describes.
 *
 * A signal that would be ignored is dropped when it is sent, so whatever is pending and not blocked
 * has something to do. Real-time signals do not queue.
 */
#include "defs.h"

#define BIT(signal) (1ull << ((signal) - 1))
#define UNBLOCKABLE (BIT(SIGKILL) | BIT(SIGSTOP))
#define STOPS (BIT(SIGSTOP) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))
#define IGNORED_BY_DEFAULT (BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH))

bool signal_waiting(const struct process *process) {
    return process->killed || process->pending & ~process->blocked;
}

static bool ignored(const struct process *process, int signal) {
    u64 handler = process->signals->actions[signal - 1].handler;
    if (handler == SIG_IGN) return true;
    if (handler != SIG_DFL) return false;
    if (process == init_process) return true; /* as Linux protects its init */
    return BIT(signal) & IGNORED_BY_DEFAULT;
}

static void report_to_parent(struct process *process, int code, int status) {
    struct process *parent = process->parent;
    if (!parent) return;
    if (!(parent->signals->actions[SIGCHLD - 1].flags & SA_NOCLDSTOP)) {
        struct signal_info info = {code, process->pid, status, 0};
        signal_send(parent, SIGCHLD, &info);
    }
    wake_all(&parent->child_events);
}

static void resume(struct process *process) {
    process->pending &= ~STOPS;
    if (process->state != STATE_STOPPED) return;
    process->continued = true;
    process->stop_reported = true;
    make_ready(process);
    report_to_parent(process, CLD_CONTINUED, SIGCONT);
}

/* `info` may be NULL: then the kernel sends it. */
void signal_send(struct process *process, int signal, const struct signal_info *info) {
    if (process->state == STATE_ZOMBIE) return;
    if (signal == SIGCONT || signal == SIGKILL) resume(process);
    if (BIT(signal) & STOPS) process->pending &= ~BIT(SIGCONT);
    if (signal == SIGKILL) {
        if (process == init_process) return;
        process->killed = true;
        if (process->state == STATE_SLEEPING) make_ready(process);
        return;
    }
    bool blocked = process->blocked & BIT(signal);
    if (!blocked && ignored(process, signal)) return;
    if (!(process->pending & BIT(signal)))
        process->signals->info[signal - 1] = info ? *info : (struct signal_info){.code = SI_KERNEL};
    process->pending |= BIT(signal);
    if (!blocked && process->state == STATE_SLEEPING) make_ready(process);
}

/* Returns the number of processes. */
int signal_send_group(i32 group, int signal, const struct signal_info *info) {
    int count = 0;
    for (int slot = 0; slot < process_slots; slot++) {
        struct process *process = process_table[slot];
        if (!process || process->group != group) continue;
        if (signal) signal_send(process, signal, info);
        count++;
    }
    return count;
}

/* A fault of the program itself: cannot be blocked or ignored. */
void signal_force(int signal, i32 code, u64 address) {
    struct linux_sigaction *action = &current->signals->actions[signal - 1];
    struct signal_info info = {.code = code, .address = address};
    if (current->blocked & BIT(signal) || action->handler == SIG_IGN) action->handler = SIG_DFL;
    current->blocked &= ~BIT(signal);
    current->signals->info[signal - 1] = info;
    current->pending |= BIT(signal);
}

static bool on_alternate(u64 rsp) {
    return rsp > current->alternate.sp && rsp - current->alternate.sp <= current->alternate.size;
}

static void fill_info(struct linux_siginfo *to, int signal, const struct signal_info *from) {
    *to = (struct linux_siginfo){.signo = signal, .code = from->code};
    if (signal == SIGCHLD || from->code <= 0) {
        to->child.pid = from->pid;
        to->child.status = from->status;
    } else {
        to->fault.address = from->address;
    }
}

static void save_context(struct linux_sigcontext *c, const struct registers *r) {
    *c = (struct linux_sigcontext){
        .r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13,
        .r14 = r->r14, .r15 = r->r15, .rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp, .rbx = r->rbx,
        .rdx = r->rdx, .rax = r->rax, .rcx = r->rcx, .rsp = r->rsp, .rip = r->rip,
        .rflags = r->rflags, .cs = USER_CS, .ss = USER_SS, .old_mask = current->blocked,
    };
    if (r->vector < 32) {
        c->trap = r->vector;
        c->error = r->error;
        c->cr2 = current->signals->info[SIGSEGV - 1].address;
    }
}

/* Builds the frame on the program's stack. False when the stack is not there. */
static bool push_frame(struct registers *r, int signal, const struct linux_sigaction *action, u64 mask) {
    u64 rsp = r->rsp - 128; /* the red zone */
    bool switch_stack = action->flags & SA_ONSTACK && current->alternate.size && !on_alternate(r->rsp);
    if (switch_stack) rsp = current->alternate.sp + current->alternate.size;
    rsp = (rsp - sizeof current->fpu) & ~63ull;
    u64 fpstate = rsp;
    rsp = ((rsp - sizeof(struct linux_rt_sigframe)) & ~15ull) - 8;

    struct linux_rt_sigframe *saved = allocate(sizeof *saved);
    if (!saved) return false;
    saved->restorer = action->restorer;
    saved->ucontext.stack = current->alternate;
    if (!current->alternate.size) saved->ucontext.stack.flags = SS_DISABLE;
    else if (on_alternate(r->rsp)) saved->ucontext.stack.flags = SS_ONSTACK;
    save_context(&saved->ucontext.context, r);
    saved->ucontext.context.fpstate = fpstate;
    saved->ucontext.mask = mask;
    fill_info(&saved->info, signal, &current->signals->info[signal - 1]);
    machine_fpu_save(current->fpu);
    bool bad = copy_out(fpstate, current->fpu, sizeof current->fpu) || copy_out(rsp, saved, sizeof *saved);
    release(saved);
    if (bad) return false;
    /* Handlers start with fresh floating-point state. */
    machine_fpu_reset(current->fpu);
    machine_fpu_load(current->fpu);

    r->rsp = rsp;
    r->rip = action->handler;
    r->rdi = (u64)signal;
    r->rsi = rsp + offsetof(struct linux_rt_sigframe, info);
    r->rdx = rsp + offsetof(struct linux_rt_sigframe, ucontext);
    r->rax = 0;
    r->rflags &= ~(RFLAGS_TF | RFLAGS_DF | RFLAGS_RF);
    return true;
}

/* rt_sigreturn: takes back what push_frame put, as far as a program may change it. */
i64 signal_return(struct registers *r) {
    struct linux_rt_sigframe *saved = allocate(sizeof *saved);
    bool bad = !saved || copy_in(saved, r->rsp - 8, sizeof *saved);
    if (!bad) {
        const struct linux_sigcontext *c = &saved->ucontext.context;
        r->r8 = c->r8, r->r9 = c->r9, r->r10 = c->r10, r->r11 = c->r11;
        r->r12 = c->r12, r->r13 = c->r13, r->r14 = c->r14, r->r15 = c->r15;
        r->rdi = c->rdi, r->rsi = c->rsi, r->rbp = c->rbp, r->rbx = c->rbx;
        r->rdx = c->rdx, r->rax = c->rax, r->rcx = c->rcx, r->rsp = c->rsp;
        r->rip = c->rip;
        r->rflags = (r->rflags & ~RFLAGS_SIGNAL) | (c->rflags & RFLAGS_SIGNAL);
        current->blocked = saved->ucontext.mask & ~UNBLOCKABLE;
        struct linux_sigaltstack *stack = &saved->ucontext.stack;
        if (!(stack->flags & SS_DISABLE)) {
            current->alternate = *stack;
            current->alternate.flags = 0;
        }
        if (c->fpstate) {
            bad = copy_in(current->fpu, c->fpstate, sizeof current->fpu);
            machine_fpu_sanitize(current->fpu);
        } else {
            machine_fpu_reset(current->fpu);
        }
        machine_fpu_load(current->fpu);
    }
    release(saved);
    if (bad) signal_force(SIGSEGV, SI_KERNEL, 0);
    r->vector = VECTOR_NONE; /* no longer a system call that could be restarted */
    return (i64)r->rax;
}

static void stop(int signal) {
    current->exit_status = signal << 8 | 0x7f;
    current->stop_reported = false;
    current->continued = false;
    current->state = STATE_STOPPED;
    report_to_parent(current, CLD_STOPPED, signal);
    schedule();
}

/* What a system call that was cut short returns, now that it is known whether a handler runs. */
static void finish_call(struct registers *r, const struct linux_sigaction *handler) {
    if (r->vector != VECTOR_SYSCALL) return;
    i64 result = (i64)r->rax;
    if (handler) current->restart_deadline = 0;
    if (result != -ERESTARTSYS && result != -ERESTARTNOHAND) return;
    if (handler && (result == -ERESTARTNOHAND || !(handler->flags & SA_RESTART))) {
        r->rax = (u64)-EINTR;
        return;
    }
    r->rax = r->error;
    r->rip -= 2;
    r->rcx = r->rip;
}

static void deliver(struct registers *r) {
    for (;;) {
        if (current->killed) process_exit(SIGKILL);
        u64 waiting = current->pending & ~current->blocked;
        if (!waiting) break;
        /* A fault's own signal first, as on Linux, so that its frame shows the fault. */
        u64 faults = waiting & (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGFPE) | BIT(SIGSYS));
        int signal = __builtin_ctzll(faults ? faults : waiting) + 1;
        current->pending &= ~BIT(signal);
        struct linux_sigaction *action = &current->signals->actions[signal - 1];
        if (action->handler == SIG_IGN) continue;
        if (action->handler == SIG_DFL) {
            if (BIT(signal) & IGNORED_BY_DEFAULT) continue;
            if (BIT(signal) & STOPS) {
                if (signal != SIGSTOP && group_is_orphaned(current->group)) continue;
                stop(signal);
                continue;
            }
            process_exit(signal); /* nobody writes core files, so never with the core flag */
        }
        finish_call(r, action);
        u64 mask = current->restore_blocked ? current->saved_blocked : current->blocked;
        current->restore_blocked = false;
        struct linux_sigaction taken = *action;
        if (taken.flags & SA_RESETHAND) action->handler = SIG_DFL;
        if (!(taken.flags & SA_RESTORER) || !push_frame(r, signal, &taken, mask)) {
            /* The stack cannot take the frame: no handler can run any more. */
            current->signals->actions[SIGSEGV - 1].handler = SIG_DFL;
            signal_force(SIGSEGV, SI_KERNEL, 0);
            continue;
        }
        r->vector = VECTOR_NONE;
        current->blocked |= taken.mask | (taken.flags & SA_NODEFER ? 0 : BIT(signal));
        current->blocked &= ~UNBLOCKABLE;
        return;
    }
    finish_call(r, NULL);
    if (current->restore_blocked) {
        current->restore_blocked = false;
        current->blocked = current->saved_blocked;
    }
}

/* Before each return to the program: turns of others, signals, and registers that are safe. */
void kernel_return(struct registers *r) {
    for (;;) {
        if (schedule_wanted) schedule();
        if (signal_waiting(current) || current->restore_blocked) deliver(r);
        else finish_call(r, NULL);
        if (!machine_user_registers(r)) {
            signal_force(SIGSEGV, SI_KERNEL, 0);
            r->rip = 0;
            continue;
        }
        if (!schedule_wanted) return;
    }
}

/* For sigaction(): what was pending and is ignored from now on is forgotten. */
void signal_forget_ignored(int signal) {
    if (ignored(current, signal)) current->pending &= ~BIT(signal);
}

/* For exec: handlers are of the old program; ignored signals stay ignored. */
void signal_reset_handlers(void) {
    for (int i = 0; i < SIGNALS; i++) {
        struct linux_sigaction *action = &current->signals->actions[i];
        u64 handler = action->handler == SIG_IGN ? SIG_IGN : SIG_DFL;
        *action = (struct linux_sigaction){.handler = handler};
    }
    current->alternate = (struct linux_sigaltstack){0};
}

/* sigsuspend and its kin: a mask for the time of one call. */
void signal_set_temporary_mask(u64 mask) {
    current->saved_blocked = current->blocked;
    current->restore_blocked = true;
    current->blocked = mask & ~UNBLOCKABLE;
}

u64 signal_unblockable(void) { return UNBLOCKABLE; }
