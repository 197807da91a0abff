/* process.h: a process and what it owns. */
#ifndef PROCESS_H
#define PROCESS_H

#include "linux.h"
#include "machine.h"
#include "space.h"

#define PROCESSES 256
#define FILES 256

enum state { STATE_READY, STATE_RUNNING, STATE_SLEEPING, STATE_STOPPED, STATE_ZOMBIE };

/* Processes that wait for the same thing, or the ready ones. */
struct queue {
    struct process *head, *tail;
};

/* Something to do at a moment, in a list sorted by deadline. */
struct timer {
    struct timer *next;
    u64 deadline; /* 0: not in the list */
    void (*fire)(struct process *owner);
    struct process *owner;
};

struct signal_info {
    i32 code;
    i32 pid;
    i32 status;
    u64 address;
};

/* One page. */
struct signals {
    struct linux_sigaction actions[SIGNALS];
    struct signal_info info[SIGNALS];
};

struct files {
    u64 close_on_exec[FILES / 64];
    struct file *file[FILES];
    i32 end; /* nothing is open at and behind it */
};

struct process {
    i32 pid, group, session;
    enum state state;
    int slot; /* of the process table and of the kernel stacks */
    u64 stack; /* kernel RSP while not running */
    struct registers *registers;
    struct process *parent, *children, *sibling;

    struct queue *queue; /* where `next` links it, or NULL */
    struct process *next;
    bool timed_out;
    u64 restart_deadline; /* of a sleep that goes on after a stop; 0: none */
    struct timer sleep, alarm;
    u64 alarm_interval;

    struct space *space;
    struct files *files;
    struct inode *directory;
    u32 umask;
    u32 uid, gid, euid, egid, suid, sgid;

    struct signals *signals;
    u64 pending, blocked, saved_blocked;
    bool restore_blocked;
    struct linux_sigaltstack alternate;
    bool killed; /* SIGKILL is pending: sleeps end, faults fail */

    i32 exit_status; /* as wait4() gives it */
    bool stop_reported, continued;
    bool vforked; /* the parent waits in vfork */
    struct queue child_events;

    u64 fs, gs;
    u64 clear_tid;
    u64 started, run_time, run_since, children_time;
    u64 minor_faults, switches;
    char name[16];
    u8 fpu[512] __attribute__((aligned(16)));
};

extern struct process *current; /* NULL until the first process runs */
extern struct process *init_process;
/* Processes by slot, with gaps; nothing at and behind process_slots. */
extern struct process *process_table[PROCESSES];
extern int process_slots;

#endif
