/* defs.h: every function that another file calls, by the file that has it. */
#ifndef DEFS_H
#define DEFS_H

#include <stdarg.h>

#include "../../abi/ringside.h"
#include "file.h"
#include "linux.h"
#include "machine.h"
#include "process.h"
#include "space.h"
#include "types.h"

#define KERNEL_NAME "Linux" /* programs look at uname to see whose system calls these are */
#define KERNEL_RELEASE "6.1.0-ringside"
#define KERNEL_VERSION "Ringside guest kernel"
#define FILE_SIZE_MAX (1ull << 40)

/* RAM as the kernel sees it */
static inline void *physical_pointer(u64 physical) { return (void *)(DIRECT_MAP + physical); }
static inline void *frame_pointer(frame f) { return physical_pointer((u64)f * PAGE_SIZE); }
static inline frame pointer_frame(const void *pointer) {
    return (frame)(((u64)pointer - DIRECT_MAP) / PAGE_SIZE);
}

/* log.c */
struct text {
    char *bytes;
    usize length, capacity;
};
extern bool log_quiet;
void log(const char *pattern, ...);
void text_print(struct text *out, const char *pattern, ...);
_Noreturn void panic(const char *pattern, ...);
_Noreturn void panic_at(const struct registers *registers, const char *what, u64 address);

/* string.c */
void *memcpy(void *to, const void *from, usize count);
void *memmove(void *to, const void *from, usize count);
void *memset(void *at, int value, usize count);
void memzero(void *at, usize count);
int memcmp(const void *a, const void *b, usize count);
usize strlen(const char *text);
bool text_equal(const char *a, const char *b);

/* frame.c */
void frame_init(const struct boot_info *info);
frame frame_take(void);
frame frame_take_zero(void);
void frame_get(frame f);
u32 frame_put(frame f);
u32 frame_users(frame f);
u64 frame_total(void);
u64 frame_available(void);

/* slab.c */
void *allocate(usize size);
void release(void *object);

/* space.c */
struct space *space_new(void);
struct space *space_fork(struct space *parent);
void space_set_executable(struct space *space, struct inode *file);
void space_release(struct space *space);
void space_empty(struct space *space);
u64 *space_slot(const struct space *space, u64 address);
i64 space_set(struct space *space, u64 address, frame page, u64 flags);
struct area *space_area(const struct space *space, u64 address);
u64 space_find_gap(const struct space *space, u64 length);
bool space_free_range(const struct space *space, u64 start, u64 end);
i64 space_add(struct space *space, u64 start, u64 end, u32 protection, u32 flags,
              struct inode *inode, u64 offset);
i64 space_remove(struct space *space, u64 start, u64 end);
i64 space_protect(struct space *space, u64 start, u64 end, u32 protection);
i64 space_move_pages(struct space *space, u64 from, u64 to, u64 length);
void space_discard(struct space *space, u64 start, u64 end);

/* fault.c */
void fault_init(void);
i64 space_fault(struct space *space, u64 address, u32 access);
i64 fault_in(u64 address, u32 access);
i64 space_write(struct space *space, u64 address, const void *from, usize count);
bool kill_for_memory(void);

/* user.c */
bool user_range(u64 address, u64 count);
i64 copy_in(void *to, u64 from, usize count);
i64 copy_out(u64 to, const void *from, usize count);
i64 clear_out(u64 to, usize count);
i64 copy_text_in(char *to, u64 from, usize capacity);
char *path_in(u64 from, i64 *error);
struct buffer user_buffer(u64 at, usize count);
struct buffer kernel_buffer(void *at, usize count);
i64 buffer_put(struct buffer *to, const void *from, usize count);
i64 buffer_clear(struct buffer *to, usize count);
i64 buffer_get(struct buffer *from, void *to, usize count);

/* pages.c */
frame inode_page(struct inode *inode, u64 index, bool make);
i64 inode_resize(struct inode *inode, u64 size);
void inode_free_pages(struct inode *inode);
i64 inode_read(struct inode *inode, struct buffer *to, u64 offset);
i64 inode_write(struct inode *inode, struct buffer *from, u64 offset);
i64 inode_read_exactly(struct inode *inode, void *to, usize count, u64 offset);

/* inode.c */
struct inode *inode_new(u32 mode);
void inode_hold(struct inode *inode);
void inode_release(struct inode *inode);
bool inode_is(const struct inode *inode, u32 type);
i64 directory_lookup(struct inode *directory, const char *name, usize length, struct inode **found);
i64 directory_add(struct inode *directory, const char *name, usize length, struct inode *inode);
i64 directory_remove(struct inode *directory, const char *name, usize length, bool want_directory);
i64 directory_rename(struct inode *from, const char *old, usize old_length, struct inode *to,
                     const char *new, usize new_length, bool replace);
const struct entry *directory_name(const struct inode *directory);
i64 directory_path(const struct inode *directory, char *path, usize capacity);

/* path.c */
extern struct inode *root_directory;
i64 path_find(struct inode *start, char *path, u32 flags, struct place *place);
i64 path_find_text(const char *text, u32 flags, struct place *place);
i64 path_inode(const char *text, struct inode **found);
void place_release(struct place *place);
i64 place_make(struct place *place, u32 mode, struct inode **made);

/* initrd.c */
void initrd_unpack(const u8 *archive, u64 size);

/* file.c */
struct file *file_new(const struct file_kind *kind, u32 flags);
void file_hold(struct file *file);
void file_release(struct file *file);
bool file_readable(const struct file *file);
bool file_writable(const struct file *file);
i64 file_open(struct inode *inode, u32 flags, struct file **opened);
i64 text_open(struct inode *inode, struct file *file);
struct file *descriptor_file(i32 descriptor);
void descriptor_set(i32 descriptor, struct file *file, bool close_on_exec);
bool descriptor_close_on_exec(i32 descriptor);
i64 descriptor_new(struct file *file, i32 lowest, bool close_on_exec);
i64 descriptor_close(i32 descriptor);
struct files *files_copy(const struct files *files);
void files_release(struct files *files);
void files_close_on_exec(struct files *files);
u64 random_word(void);
void device_set(struct inode *inode, u32 major, u32 minor);

/* pipe.c */
struct pipe *pipe_new(void);
void pipe_free(struct pipe *pipe);
struct file *pipe_end(struct pipe *pipe, struct inode *inode, u32 flags);
i64 pipe_open(struct inode *inode, struct file *file);

/* console.c */
void console_init(bool cooked);
i64 console_open(const struct inode *device, u32 flags);
bool console_controls(i32 session);
i32 console_foreground(void);
void console_hang_up(void);

/* procfs.c */
struct inode *proc_root(void);
bool proc_name(const struct inode *directory, char *name, usize *length);
struct inode *proc_parent(const struct inode *directory);

/* timer.c */
void timer_start(struct timer *timer, u64 deadline);
void timer_stop(struct timer *timer);
void timer_start_slice(void);
void timer_before_idle(void);
u64 time_now(void);

/* schedule.c */
extern bool schedule_wanted;
void make_ready(struct process *process);
void wake_all(struct queue *queue);
void wake_pollers(void);
void use_space(struct space *space);
void schedule(void);
_Noreturn void schedule_first(struct process *first);
i64 sleep_on(struct queue *queue);
i64 sleep_killable(struct queue *queue);
i64 sleep_until(struct queue *queue, u64 deadline);
i64 sleep_poll(u64 deadline);

/* signal.c */
bool signal_waiting(const struct process *process);
void signal_send(struct process *process, int signal, const struct signal_info *info);
int signal_send_group(i32 group, int signal, const struct signal_info *info);
void signal_force(int signal, i32 code, u64 address);
i64 signal_return(struct registers *registers);
void signal_forget_ignored(int signal);
void signal_reset_handlers(void);
void signal_set_temporary_mask(u64 mask);
u64 signal_unblockable(void);

/* process.c */
struct process *process_first(void);
struct process *process_find(i32 pid);
int process_count(void);
i64 process_fork(u64 flags, u64 stack, u64 parent_tid, u64 child_tid, u64 tls);
void process_end_vfork(void);
_Noreturn void process_exit(i32 status);
void process_bury(void);
i64 process_wait(i32 pid, i32 options, i32 *status, u64 *time);
bool group_in_session(i32 group, i32 session);
bool group_is_orphaned(i32 group);

/* strings.c */
struct string { /* a piece of one */
    struct string *next, *previous;
    char *bytes;
    usize size;  /* with the null, if the string ends here */
    bool starts; /* a string; else it continues the one before */
};
struct strings {
    struct string *first, *last;
    u64 count;
};
i64 strings_add(struct strings *strings, const char *text);
i64 strings_add_first(struct strings *strings, const char *text);
void strings_remove_first(struct strings *strings);
void strings_free(struct strings *strings);
i64 strings_copy_in(struct strings *strings, u64 array);

/* exec.c */
struct exec {
    char *path; /* a page */
    struct strings arguments, environment;
    char interpreter[256];
};
i64 exec_program(struct exec *exec);

/* futex.c */
i64 futex_wake(u64 address, i64 count);

/* main.c */
extern const char *kernel_command_line;

#endif
