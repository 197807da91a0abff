/*
 * sys_process.c: system calls on processes: their birth and end, who they are, what they may use.
 */
#include "defs.h"

i64 sys_fork(void) { return process_fork(0, 0, 0, 0, 0); }

i64 sys_vfork(void) { return process_fork(CLONE_VM | CLONE_VFORK, 0, 0, 0, 0); }

i64 sys_clone(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls) {
    u64 known = 0xff | CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |
                CLONE_CHILD_SETTID;
    /* Two processes in one space only while one of them waits for the other. */
    if (flags & ~known || (flags & CLONE_VM && !(flags & CLONE_VFORK))) return -EINVAL;
    if ((flags & 0xff) != SIGCHLD && (flags & 0xff) != 0) return -EINVAL;
    return process_fork(flags, stack, parent_tid, child_tid, tls);
}

i64 sys_execve(u64 path, u64 arguments, u64 environment) {
    i64 error;
    struct exec *exec = allocate(sizeof *exec);
    if (!exec) return -ENOMEM;
    exec->path = path_in(path, &error);
    if (exec->path) {
        error = strings_copy_in(&exec->arguments, arguments);
        if (!error) error = strings_copy_in(&exec->environment, environment);
        if (!error && !exec->arguments.count) error = strings_add(&exec->arguments, "");
        if (!error) error = exec_program(exec);
    }
    strings_free(&exec->arguments);
    strings_free(&exec->environment);
    release(exec->path);
    release(exec);
    return error;
}

i64 sys_exit(u32 status) { process_exit((i32)(status & 0xff) << 8); }

i64 sys_wait4(i32 pid, u64 status_at, u32 options, u64 usage_at) {
    if (options & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | 0xe0000000u)) return -EINVAL;
    i32 status;
    u64 time;
    i64 found = process_wait(pid, (i32)(options & 15) | WEXITED, &status, &time);
    if (found <= 0) return found;
    if (status_at && copy_out(status_at, &status, sizeof status)) return -EFAULT;
    struct linux_rusage usage = {.utime = {(i64)(time / 1000000000), (i64)(time / 1000 % 1000000)}};
    if (usage_at && copy_out(usage_at, &usage, sizeof usage)) return -EFAULT;
    return found;
}

i64 sys_waitid(i32 type, i32 id, u64 info_at, u32 options, u64 usage_at) {
    i32 pid = type == 0 ? -1 : type == 1 ? id : -id;
    if (type < 0 || type > 2 || (type == 1 && id <= 0) || options & ~(u32)(WNOHANG | WUNTRACED | WEXITED | WCONTINUED | WNOWAIT) ||
        !(options & (WUNTRACED | WEXITED | WCONTINUED)))
        return -EINVAL;
    i32 status = 0;
    u64 time = 0;
    i64 found = process_wait(type == 2 && !id ? 0 : pid, (i32)options, &status, &time);
    if (found < 0) return found;
    struct linux_siginfo info = {0};
    if (found) {
        i32 signal = status & 0x7f;
        info.signo = SIGCHLD;
        info.child.pid = (i32)found;
        info.code = status == 0xffff ? CLD_CONTINUED
                    : signal == 0x7f ? CLD_STOPPED
                    : signal         ? CLD_KILLED
                                     : CLD_EXITED;
        info.child.status = status == 0xffff ? SIGCONT : !signal || signal == 0x7f ? status >> 8 & 0xff : signal;
    }
    if (info_at && copy_out(info_at, &info, sizeof info)) return -EFAULT;
    struct linux_rusage usage = {.utime = {(i64)(time / 1000000000), (i64)(time / 1000 % 1000000)}};
    if (usage_at && copy_out(usage_at, &usage, sizeof usage)) return -EFAULT;
    return 0;
}

i64 sys_getpid(void) { return current->pid; }
i64 sys_gettid(void) { return current->pid; }
i64 sys_getppid(void) { return current->parent ? current->parent->pid : 0; }
i64 sys_getpgrp(void) { return current->group; }

static struct process *by_pid(i32 pid) { return pid ? process_find(pid) : current; }

i64 sys_getpgid(i32 pid) {
    struct process *process = by_pid(pid);
    return process ? process->group : -ESRCH;
}

i64 sys_getsid(i32 pid) {
    struct process *process = by_pid(pid);
    return process ? process->session : -ESRCH;
}

i64 sys_setpgid(i32 pid, i32 group) {
    struct process *process = by_pid(pid);
    if (group < 0) return -EINVAL;
    if (!process || (process != current && process->parent != current)) return -ESRCH;
    if (!group) group = process->pid;
    if (process->pid == process->session || process->session != current->session) return -EPERM;
    if (group != process->pid && !group_in_session(group, current->session)) return -EPERM;
    process->group = group;
    return 0;
}

i64 sys_setsid(void) {
    if (current->group == current->pid && current != init_process) return -EPERM;
    current->session = current->group = current->pid;
    return current->pid;
}

i64 sys_getuid(void) { return current->uid; }
i64 sys_getgid(void) { return current->gid; }
i64 sys_geteuid(void) { return current->euid; }
i64 sys_getegid(void) { return current->egid; }

/* What a process that is not root may change an id to: one that it has. */
static bool may_be(u32 id, u32 real, u32 effective, u32 saved) {
    return current->euid == 0 || id == ~0u || id == real || id == effective || id == saved;
}

i64 sys_setresuid(u32 real, u32 effective, u32 saved) {
    struct process *p = current;
    if (!may_be(real, p->uid, p->euid, p->suid) || !may_be(effective, p->uid, p->euid, p->suid) ||
        !may_be(saved, p->uid, p->euid, p->suid))
        return -EPERM;
    if (real != ~0u) p->uid = real;
    if (effective != ~0u) p->euid = effective;
    if (saved != ~0u) p->suid = saved;
    return 0;
}

i64 sys_setresgid(u32 real, u32 effective, u32 saved) {
    struct process *p = current;
    if (!may_be(real, p->gid, p->egid, p->sgid) || !may_be(effective, p->gid, p->egid, p->sgid) ||
        !may_be(saved, p->gid, p->egid, p->sgid))
        return -EPERM;
    if (real != ~0u) p->gid = real;
    if (effective != ~0u) p->egid = effective;
    if (saved != ~0u) p->sgid = saved;
    return 0;
}

i64 sys_setuid(u32 id) { return current->euid ? sys_setresuid(~0u, id, ~0u) : sys_setresuid(id, id, id); }
i64 sys_setgid(u32 id) { return current->euid ? sys_setresgid(~0u, id, ~0u) : sys_setresgid(id, id, id); }
i64 sys_setreuid(u32 real, u32 effective) { return sys_setresuid(real, effective, effective); }
i64 sys_setregid(u32 real, u32 effective) { return sys_setresgid(real, effective, effective); }

static i64 put_ids(const u64 *at, const u32 *ids) {
    for (int i = 0; i < 3; i++)
        if (copy_out(at[i], &ids[i], sizeof ids[i])) return -EFAULT;
    return 0;
}

i64 sys_getresuid(u64 real, u64 effective, u64 saved) {
    return put_ids((u64[]){real, effective, saved}, (u32[]){current->uid, current->euid, current->suid});
}

i64 sys_getresgid(u64 real, u64 effective, u64 saved) {
    return put_ids((u64[]){real, effective, saved}, (u32[]){current->gid, current->egid, current->sgid});
}

i64 sys_getgroups(i32 size) { return size < 0 ? -EINVAL : 0; }
i64 sys_getpriority(void) { return 20; }

i64 sys_uname(u64 at) {
    struct linux_utsname *name = allocate(sizeof *name);
    if (!name) return -ENOMEM;
    memcpy(name->sysname, KERNEL_NAME, sizeof KERNEL_NAME);
    memcpy(name->nodename, "ringside", 9);
    memcpy(name->release, KERNEL_RELEASE, sizeof KERNEL_RELEASE);
    memcpy(name->version, KERNEL_VERSION, sizeof KERNEL_VERSION);
    memcpy(name->machine, "x86_64", 7);
    memcpy(name->domainname, "(none)", 7);
    i64 error = copy_out(at, name, sizeof *name);
    release(name);
    return error;
}

i64 sys_arch_prctl(u32 code, u64 argument) {
    switch (code) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (argument >= USER_TOP) return -EPERM;
        *(code == ARCH_SET_FS ? &current->fs : &current->gs) = argument;
        machine_set_bases(current->fs, current->gs);
        return 0;
    case ARCH_GET_FS:
        return copy_out(argument, &current->fs, sizeof current->fs);
    case ARCH_GET_GS:
        return copy_out(argument, &current->gs, sizeof current->gs);
    default:
        return -EINVAL;
    }
}

#define PR_SET_PDEATHSIG 1
#define PR_GET_DUMPABLE 3
#define PR_SET_DUMPABLE 4
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39

i64 sys_prctl(u32 option, u64 argument) {
    switch (option) {
    case PR_SET_NAME: {
        char name[sizeof current->name];
        i64 length = copy_text_in(name, argument, sizeof name);
        if (length == -EFAULT) return length;
        name[sizeof name - 1] = 0;
        memcpy(current->name, name, sizeof name);
        return 0;
    }
    case PR_GET_NAME:
        return copy_out(argument, current->name, sizeof current->name);
    case PR_SET_PDEATHSIG:
    case PR_SET_DUMPABLE:
    case PR_SET_NO_NEW_PRIVS:
        return 0;
    case PR_GET_DUMPABLE:
        return 1;
    case PR_GET_NO_NEW_PRIVS:
        return 0;
    default:
        return -EINVAL;
    }
}

i64 sys_prlimit64(i32 pid, u32 resource, u64 new, u64 old) {
    if (resource > 15) return -EINVAL;
    if (!by_pid(pid)) return -ESRCH;
    u64 limit[2] = {RLIM_INFINITY, RLIM_INFINITY};
    if (resource == RLIMIT_STACK) limit[0] = STACK_LIMIT;
    if (resource == RLIMIT_NOFILE) limit[0] = limit[1] = FILES;
    if (resource == RLIMIT_NPROC) limit[0] = limit[1] = PROCESSES - 8;
    u64 asked[2];
    if (new && copy_in(asked, new, sizeof asked)) return -EFAULT;
    if (new && asked[0] > asked[1]) return -EINVAL;
    return old ? copy_out(old, limit, sizeof limit) : 0; /* limits are fixed; a change is not kept */
}

i64 sys_getrlimit(u32 resource, u64 at) { return sys_prlimit64(0, resource, 0, at); }
i64 sys_setrlimit(u32 resource, u64 at) { return sys_prlimit64(0, resource, at, 0); }

static u64 used_time(void) { return current->run_time + machine_time() - current->run_since; }

i64 sys_getrusage(i32 who, u64 at) {
    if (who < -1 || who > 1) return -EINVAL;
    u64 time = who == -1 ? current->children_time : used_time();
    struct linux_rusage usage = {
        .utime = {(i64)(time / 1000000000), (i64)(time / 1000 % 1000000)},
        .maxrss = (i64)current->space->resident * 4,
        .minflt = (i64)current->minor_faults,
        .nvcsw = (i64)current->switches,
    };
    return copy_out(at, &usage, sizeof usage);
}

i64 sys_times(u64 at) {
    u64 tick = 1000000000 / CLOCK_TICKS;
    struct linux_tms times = {.utime = (i64)(used_time() / tick), .cutime = (i64)(current->children_time / tick)};
    if (at && copy_out(at, &times, sizeof times)) return -EFAULT;
    return (i64)(machine_time() / tick);
}

i64 sys_sysinfo(u64 at) {
    struct linux_sysinfo info = {
        .uptime = (i64)(machine_time() / 1000000000), .totalram = frame_total() * PAGE_SIZE,
        .freeram = frame_available() * PAGE_SIZE, .procs = (u16)process_count(), .unit = 1,
    };
    return copy_out(at, &info, 112);
}

i64 sys_sched_yield(void) {
    schedule();
    return 0;
}

i64 sys_sched_getaffinity(i32 pid, u64 size, u64 at) {
    if (size < 8 || size % 8) return -EINVAL;
    if (!by_pid(pid)) return -ESRCH;
    u64 one = 1;
    return copy_out(at, &one, sizeof one) ? -EFAULT : 8;
}

i64 sys_getcpu(u64 cpu, u64 node) {
    u32 zero = 0;
    if (cpu && copy_out(cpu, &zero, sizeof zero)) return -EFAULT;
    if (node && copy_out(node, &zero, sizeof zero)) return -EFAULT;
    return 0;
}

i64 sys_set_tid_address(u64 at) {
    current->clear_tid = at;
    return current->pid;
}

i64 sys_reboot(u32 magic, u32 magic2, u32 command) {
    (void)magic2;
    if (current->euid) return -EPERM;
    if (magic != LINUX_REBOOT_MAGIC1) return -EINVAL;
    switch (command) {
    case LINUX_REBOOT_CMD_POWER_OFF:
    case LINUX_REBOOT_CMD_HALT:
    case LINUX_REBOOT_CMD_RESTART:
        machine_power_off(RINGSIDE_EXIT_POWER_OFF);
    default:
        return -EINVAL;
    }
}
