/*
 * exec.c: loads a program: static or position-independent ELF64, its interpreter if it names one,
 * and scripts that start with "#!".
 *
 * The new space is built completely before the old one is left, so a failure changes nothing. Files
 * are hostile: a header is believed only as far as it was checked.
 */
#include "defs.h"

#define ELF_EXECUTABLE 2
#define ELF_SHARED 3
#define ELF_MACHINE_X86_64 62
#define SEGMENT_LOAD 1
#define SEGMENT_INTERPRETER 3
#define SEGMENT_STACK 0x6474e551
#define SEGMENTS_MAX 64

#define PIE_BASE 0x555555554000ull /* where Linux puts one when it does not randomize */
#define ARGUMENTS_MAX (STACK_LIMIT / 4)

struct elf_header {
    u8 magic[4], class, data, version, abi, abi_version, padding[7];
    u16 type, machine;
    u32 elf_version;
    u64 entry, segments_offset, sections_offset;
    u32 flags;
    u16 header_size, segment_size, segment_count, section_size, section_count, names;
};

struct elf_segment {
    u32 type, flags;
    u64 offset, address, physical, file_size, memory_size, alignment;
};

struct image {
    struct elf_header header;
    struct elf_segment segments[SEGMENTS_MAX];
    u64 bias;  /* added to every address */
    u64 first; /* address of the first loaded byte, biased */
    u64 end;
};

static u64 page_down(u64 value) { return value & ~(u64)(PAGE_SIZE - 1); }
static u64 page_up(u64 value) { return page_down(value + PAGE_SIZE - 1); }

static i64 read_image(struct inode *file, struct image *image) {
    struct elf_header *h = &image->header;
    if (inode_read_exactly(file, h, sizeof *h, 0)) return -ENOEXEC;
    if (memcmp(h->magic, "\177ELF", 4) || h->class != 2 || h->data != 1 ||
        h->machine != ELF_MACHINE_X86_64 || (h->type != ELF_EXECUTABLE && h->type != ELF_SHARED) ||
        h->segment_size != sizeof(struct elf_segment) || !h->segment_count ||
        h->segment_count > SEGMENTS_MAX)
        return -ENOEXEC;
    if (inode_read_exactly(file, image->segments, h->segment_count * sizeof(struct elf_segment),
                           h->segments_offset))
        return -ENOEXEC;

    u64 low = ~0ull, high = 0;
    for (int i = 0; i < h->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        if (s->type != SEGMENT_LOAD || !s->memory_size) continue;
        if (s->file_size > s->memory_size || s->address >= USER_TOP ||
            s->memory_size > USER_TOP - s->address ||
            s->offset % PAGE_SIZE != s->address % PAGE_SIZE || s->offset > FILE_SIZE_MAX ||
            s->file_size > FILE_SIZE_MAX)
            return -ENOEXEC;
        low = MIN(low, page_down(s->address));
        high = MAX(high, s->address + s->memory_size);
    }
    if (low > high) return -ENOEXEC;
    image->first = low;
    image->end = high;
    return 0;
}

static i64 map_segment(struct space *space, struct inode *file, const struct elf_segment *s, u64 bias) {
    u32 protection = (s->flags & 4 ? PROT_READ : 0) | (s->flags & 2 ? PROT_WRITE : 0) |
                     (s->flags & 1 ? PROT_EXEC : 0);
    u64 start = page_down(s->address + bias), file_end = s->address + bias + s->file_size;
    u64 end = page_up(s->address + bias + s->memory_size);
    u64 middle = s->file_size ? page_up(file_end) : start;
    /* Later segments win, as with Linux's MAP_FIXED. */
    i64 error = space_remove(space, start, end);
    if (!error && middle > start)
        error = space_add(space, start, middle, protection, 0, file, page_down(s->offset));
    if (!error && end > middle) error = space_add(space, middle, end, protection, 0, NULL, 0);
    if (error) return error;
    /* The rest of the last page of the file is the start of what must be zero. */
    if (s->memory_size > s->file_size && file_end < middle && protection & PROT_WRITE) {
        u8 zeros[64] = {0};
        for (u64 at = file_end; at < middle;) {
            usize part = MIN(sizeof zeros, middle - at);
            error = space_write(space, at, zeros, part);
            if (error == -EIO) return -ENOEXEC; /* the file is shorter than it says */
            if (error) return error;
            at += part;
        }
    }
    return 0;
}

static i64 map_image(struct space *space, struct inode *file, struct image *image, u64 base) {
    u64 length = image->end - image->first;
    if (image->header.type == ELF_SHARED) {
        if (!base) base = space_find_gap(space, page_up(length));
        if (!base || base > USER_TOP - page_up(length)) return -ENOMEM;
        image->bias = base - image->first;
    }
    image->first += image->bias;
    image->end += image->bias;
    if (image->first < MAP_BOTTOM || image->end > MAP_TOP) return -ENOMEM;
    for (int i = 0; i < image->header.segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        if (s->type != SEGMENT_LOAD || !s->memory_size) continue;
        i64 error = map_segment(space, file, s, image->bias);
        if (error) return error;
    }
    return 0;
}

/* Where the program headers are in memory, for AT_PHDR; 0 when no segment holds them. */
static u64 headers_address(const struct image *image) {
    for (int i = 0; i < image->header.segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        u64 at = image->header.segments_offset;
        if (s->type == SEGMENT_LOAD && at >= s->offset && at - s->offset < s->file_size)
            return image->bias + s->address + (at - s->offset);
    }
    return 0;
}

struct stack {
    struct space *space;
    u64 at;
    i64 error;
};

static void push(struct stack *stack, const void *bytes, usize count) {
    if (stack->error) return;
    if (stack->at - count < STACK_TOP - ARGUMENTS_MAX) {
        stack->error = -E2BIG;
        return;
    }
    stack->at -= count;
    stack->error = space_write(stack->space, stack->at, bytes, count);
}

static void push_word(struct stack *stack, u64 word) { push(stack, &word, sizeof word); }

/* Pushes strings, last one first, so that they lie in order; notes none of their addresses. */
static void push_strings(struct stack *stack, const struct strings *strings) {
    for (const struct string *s = strings->last; s; s = s->previous) push(stack, s->bytes, s->size);
}

/* The pointers to strings that lie from `at` on, with a null after them: pushed from the last. */
static void push_pointers(struct stack *stack, const struct strings *strings, u64 end) {
    push_word(stack, 0);
    for (const struct string *s = strings->last; s; s = s->previous) {
        end -= s->size;
        if (s->starts) push_word(stack, end);
    }
}

static u64 build_stack(struct stack *stack, const struct exec *exec, const struct image *image,
                       u64 interpreter_base) {
    push_word(stack, 0);
    push(stack, exec->path, strlen(exec->path) + 1);
    u64 name = stack->at, environment_end = stack->at;
    push_strings(stack, &exec->environment);
    u64 arguments_end = stack->at;
    push_strings(stack, &exec->arguments);
    u64 arguments_start = stack->at;
    push(stack, "x86_64", 7);
    u64 platform = stack->at;
    u64 random[2] = {random_word(), random_word()};
    stack->at &= ~15ull;
    push(stack, random, sizeof random);
    u64 random_at = stack->at;

    u64 auxiliary[][2] = {
        {AT_HWCAP, machine_features()}, {AT_PAGESZ, PAGE_SIZE}, {AT_CLKTCK, CLOCK_TICKS},
        {AT_PHDR, headers_address(image)}, {AT_PHENT, sizeof(struct elf_segment)},
        {AT_PHNUM, image->header.segment_count}, {AT_BASE, interpreter_base}, {AT_FLAGS, 0},
        {AT_ENTRY, image->bias + image->header.entry}, {AT_UID, current->uid},
        {AT_EUID, current->euid}, {AT_GID, current->gid}, {AT_EGID, current->egid},
        {AT_SECURE, 0}, {AT_RANDOM, random_at}, {AT_HWCAP2, 0}, {AT_EXECFN, name},
        {AT_PLATFORM, platform}, {AT_NULL, 0},
    };
    stack->at &= ~15ull;
    u64 words = 1 + exec->arguments.count + 1 + exec->environment.count + 1;
    if (words % 2) stack->at -= 8; /* RSP must be a multiple of 16 at the entry */
    push(stack, auxiliary, sizeof auxiliary);
    push_pointers(stack, &exec->environment, environment_end);
    push_pointers(stack, &exec->arguments, arguments_end);
    push_word(stack, exec->arguments.count);
    stack->space->arguments_start = arguments_start;
    stack->space->arguments_end = arguments_end;
    stack->space->environment_end = environment_end;
    return stack->at;
}

/* Builds the space of the program in `file`; gives where to start. */
static i64 load(struct inode *file, const struct exec *exec, struct space *space, struct image *image,
                u64 *rip, u64 *rsp) {
    i64 error = read_image(file, image);
    if (error) return error;
    u32 stack_protection = PROT_READ | PROT_WRITE;
    char *interpreter_path = NULL;
    for (int i = 0; i < image->header.segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        if (s->type == SEGMENT_STACK && s->flags & 1) stack_protection |= PROT_EXEC;
        if (s->type != SEGMENT_INTERPRETER || interpreter_path) continue;
        if (s->file_size < 2 || s->file_size > PATH_MAX) return -ENOEXEC;
        interpreter_path = allocate(PATH_MAX);
        if (!interpreter_path) return -ENOMEM;
        if (inode_read_exactly(file, interpreter_path, s->file_size, s->offset) ||
            interpreter_path[s->file_size - 1]) {
            release(interpreter_path);
            return -ENOEXEC;
        }
    }
    error = space_add(space, STACK_TOP - 32 * PAGE_SIZE, STACK_TOP, stack_protection, AREA_STACK, NULL, 0);
    if (!error) error = map_image(space, file, image, PIE_BASE);
    space->break_start = space->break_end = page_up(image->end);
    *rip = image->bias + image->header.entry;

    u64 interpreter_base = 0;
    if (interpreter_path && !error) {
        struct inode *interpreter = NULL;
        struct image *second = allocate(sizeof *second);
        error = second ? path_inode(interpreter_path, &interpreter) : -ENOMEM;
        if (!error) error = read_image(interpreter, second);
        if (!error) error = map_image(space, interpreter, second, 0);
        if (!error) {
            interpreter_base = second->bias;
            *rip = second->bias + second->header.entry;
        }
        if (interpreter) inode_release(interpreter);
        release(second);
    }
    release(interpreter_path);
    if (error) return error;
    struct stack stack = {space, STACK_TOP, 0};
    *rsp = build_stack(&stack, exec, image, interpreter_base);
    return stack.error;
}

/* "#!interpreter [argument]": puts both before the script's path in the arguments. */
static i64 read_script(struct inode *file, struct exec *exec, bool *is_script) {
    char text[256];
    struct buffer buffer = kernel_buffer(text, sizeof text - 1);
    i64 count = inode_read(file, &buffer, 0);
    *is_script = count >= 2 && text[0] == '#' && text[1] == '!';
    if (!*is_script) return 0;
    text[count] = 0;
    char *at = text + 2, *end = at;
    while (*end && *end != '\n') end++;
    if (!*end && count == sizeof text - 1) return -ENOEXEC;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) end--;
    *end = 0;
    while (*at == ' ' || *at == '\t') at++;
    if (!*at) return -ENOEXEC;
    char *argument = at;
    while (*argument && *argument != ' ' && *argument != '\t') argument++;
    if (*argument) {
        *argument++ = 0;
        while (*argument == ' ' || *argument == '\t') argument++;
    }
    strings_remove_first(&exec->arguments);
    i64 error = strings_add_first(&exec->arguments, exec->path);
    if (!error && *argument) error = strings_add_first(&exec->arguments, argument);
    if (!error) error = strings_add_first(&exec->arguments, at);
    if (error) return error;
    memcpy(exec->interpreter, at, strlen(at) + 1);
    return 0;
}

static i64 open_program(const char *path, struct inode **file) {
    i64 error = path_inode(path, file);
    if (error) return error;
    if (!inode_is(*file, S_IFREG) || (*file)->kind || !((*file)->mode & 0111)) error = -EACCES;
    else if ((*file)->regular.writers) error = -ETXTBSY;
    if (error) inode_release(*file);
    return error;
}

static void take_over(struct exec *exec, struct space *space, struct inode *file, u64 rip, u64 rsp) {
    struct space *old = current->space;
    space_set_executable(space, file);
    current->space = space;
    use_space(space);
    if (old) space_release(old);
    process_end_vfork();
    files_close_on_exec(current->files);
    signal_reset_handlers();
    const char *name = exec->path;
    for (const char *c = exec->path; *c; c++)
        if (*c == '/') name = c + 1;
    usize length = MIN(strlen(name), sizeof current->name - 1);
    memzero(current->name, sizeof current->name);
    memcpy(current->name, name, length);
    current->fs = current->gs = current->clear_tid = 0;
    machine_set_bases(0, 0);
    machine_fpu_reset(current->fpu);
    machine_fpu_load(current->fpu);
    *current->registers = (struct registers){
        .vector = VECTOR_NONE, .rip = rip, .cs = USER_CS, .rflags = RFLAGS_IF | RFLAGS_FIXED,
        .rsp = rsp, .ss = USER_SS,
    };
}

/* Replaces the current program. Returns only to the new one (0) or with an error to the old. */
i64 exec_program(struct exec *exec) {
    struct inode *file;
    for (int depth = 0;; depth++) {
        i64 error = open_program(exec->path, &file);
        if (error) return error;
        bool is_script;
        error = read_script(file, exec, &is_script);
        if (!error && !is_script) break;
        inode_release(file);
        if (!error && depth == 4) error = -ELOOP;
        if (error) return error;
        memcpy(exec->path, exec->interpreter, sizeof exec->interpreter);
    }
    struct space *space = space_new();
    struct image *image = allocate(sizeof *image);
    u64 rip, rsp;
    i64 error = space && image ? load(file, exec, space, image, &rip, &rsp) : -ENOMEM;
    release(image);
    if (!error) take_over(exec, space, file, rip, rsp);
    else if (space) space_release(space);
    inode_release(file);
    return error;
}
