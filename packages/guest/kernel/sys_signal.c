/*
 * sys_signal.c: system calls on signals.
 */
#include "defs.h"

i64 sys_rt_sigaction(i32 signal, u64 new, u64 old, u64 size) {
    if (signal < 1 || signal > SIGNALS || size != 8) return -EINVAL;
    struct linux_sigaction *action = &current->signals->actions[signal - 1], asked;
    if (new && (signal == SIGKILL || signal == SIGSTOP)) return -EINVAL;
    if (new && copy_in(&asked, new, sizeof asked)) return -EFAULT;
    if (old && copy_out(old, action, sizeof *action)) return -EFAULT;
    if (!new) return 0;
    *action = asked;
    action->mask &= ~signal_unblockable();
    signal_forget_ignored(signal);
    return 0;
}

i64 sys_rt_sigprocmask(u32 how, u64 new, u64 old, u64 size) {
    if (size != 8) return -EINVAL;
    u64 before = current->blocked, asked;
    if (new) {
        if (copy_in(&asked, new, sizeof asked)) return -EFAULT;
        asked &= ~signal_unblockable();
        if (how == SIG_BLOCK) current->blocked |= asked;
        else if (how == SIG_UNBLOCK) current->blocked &= ~asked;
        else if (how == SIG_SETMASK) current->blocked = asked;
        else return -EINVAL;
    }
    return old ? copy_out(old, &before, sizeof before) : 0;
}

i64 sys_rt_sigpending(u64 at, u64 size) {
    if (size > 8) return -EINVAL;
    u64 pending = current->pending & current->blocked;
    return copy_out(at, &pending, size);
}

i64 sys_rt_sigreturn(void) { return signal_return(current->registers); }

i64 sys_rt_sigsuspend(u64 at, u64 size) {
    u64 mask;
    if (size != 8) return -EINVAL;
    if (copy_in(&mask, at, sizeof mask)) return -EFAULT;
    signal_set_temporary_mask(mask);
    struct queue nobody = {0};
    while (!sleep_on(&nobody)) continue;
    return -ERESTARTNOHAND;
}

i64 sys_pause(void) {
    struct queue nobody = {0};
    while (!sleep_on(&nobody)) continue;
    return -ERESTARTNOHAND;
}

/* Takes a pending signal of the set, even a blocked one, instead of handling it. */
i64 sys_rt_sigtimedwait(u64 set_at, u64 info_at, u64 timeout_at, u64 size) {
    u64 set, deadline = ~0ull;
    if (size != 8) return -EINVAL;
    if (copy_in(&set, set_at, sizeof set)) return -EFAULT;
    set &= ~signal_unblockable();
    if (timeout_at) {
        struct linux_timespec time;
        if (copy_in(&time, timeout_at, sizeof time)) return -EFAULT;
        if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= 1000000000) return -EINVAL;
        deadline = machine_time() + MIN((u64)time.seconds, 1000000000ull) * 1000000000 + (u64)time.nanoseconds;
    }
    u64 blocked = current->blocked;
    struct queue nobody = {0};
    for (;;) {
        u64 found = current->pending & set;
        if (found) {
            int signal = __builtin_ctzll(found) + 1;
            const struct signal_info *from = &current->signals->info[signal - 1];
            current->pending &= ~(1ull << (signal - 1));
            struct linux_siginfo info = {.signo = signal, .code = from->code};
            info.child.pid = from->pid;
            info.child.status = from->status;
            current->blocked = blocked;
            if (info_at && copy_out(info_at, &info, sizeof info)) return -EFAULT;
            return signal;
        }
        current->blocked = blocked & ~set; /* so that one of the set ends the sleep */
        i64 error = deadline == ~0ull ? sleep_on(&nobody) : sleep_until(&nobody, deadline);
        current->blocked = blocked;
        if (current->pending & set) continue;
        if (error == -ETIMEDOUT) return -EAGAIN;
        if (error) return -EINTR;
    }
}

i64 sys_sigaltstack(u64 new, u64 old) {
    struct linux_sigaltstack before = current->alternate, asked;
    u64 rsp = current->registers->rsp;
    bool on_it = before.size && rsp > before.sp && rsp - before.sp <= before.size;
    before.flags = !before.size ? SS_DISABLE : on_it ? SS_ONSTACK : 0;
    if (new) {
        if (copy_in(&asked, new, sizeof asked)) return -EFAULT;
        if (on_it) return -EPERM;
        if (asked.flags & SS_DISABLE) {
            asked = (struct linux_sigaltstack){0};
        } else {
            if (asked.flags & ~SS_ONSTACK) return -EINVAL;
            if (asked.size < MINSIGSTKSZ) return -ENOMEM;
        }
        asked.flags = 0;
        current->alternate = asked;
    }
    return old ? copy_out(old, &before, sizeof before) : 0;
}

static i64 send(struct process *process, i32 signal, i32 code) {
    struct signal_info info = {.code = code, .pid = current->pid};
    if (signal) signal_send(process, signal, &info);
    return 0;
}

i64 sys_kill(i32 pid, i32 signal) {
    if (signal < 0 || signal > SIGNALS) return -EINVAL;
    if (pid > 0) {
        struct process *process = process_find(pid);
        return process ? send(process, signal, SI_USER) : -ESRCH;
    }
    if (pid == -1) {
        int count = 0;
        for (int slot = 0; slot < process_slots; slot++) {
            struct process *process = process_table[slot];
            if (!process || process == init_process || process == current) continue;
            send(process, signal, SI_USER);
            count++;
        }
        return count ? 0 : -ESRCH;
    }
    struct signal_info info = {.code = SI_USER, .pid = current->pid};
    return signal_send_group(pid ? -pid : current->group, signal, &info) ? 0 : -ESRCH;
}

i64 sys_tgkill(i32 group, i32 pid, i32 signal) {
    if (group <= 0 || pid <= 0 || signal < 0 || signal > SIGNALS) return -EINVAL;
    struct process *process = process_find(pid);
    return process && pid == group ? send(process, signal, SI_TKILL) : -ESRCH;
}

i64 sys_tkill(i32 pid, i32 signal) { return sys_tgkill(pid, pid, signal); }
