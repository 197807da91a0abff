/*
 * Process 1: runs one program, carries its input and output over the console in frames, reports its end,
 * powers off.
 *
 * /ringside/argv and /ringside/envp hold the program's arguments and environment, each string ended by NUL;
 * /ringside/cwd, where it is, the folder to run in. The program gets three pipes. A process of its own serves
 * each of them, so that one that is stuck (nobody reads the program's input) never holds up another. A frame
 * is
 *
 *     0xf5, type (1 byte), size of the payload (2 bytes, little-endian, at most 4096), payload
 *
 * and goes out in one write, which the kernel does not interleave with others. If /ringside/raw exists there
 * are no frames: the program has the console itself.
 *
 * The end of the program is the end of the machine. What it or its descendants have written until then is
 * delivered; descendants that live on, holding the pipes open, are not waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <ringside.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HEADER_BYTES = RINGSIDE_FRAME_HEADER, PAYLOAD_BYTES = RINGSIDE_FRAME_PAYLOAD_MAX, PIPE_BYTES = 65536 };

static int console;
static int raw;

/* Writes all of it unless the console is gone, when there is nobody to tell. */
static void write_all(int fd, const void *from, size_t size)
{
    const char *at = from;
    while (size > 0) {
        ssize_t wrote = write(fd, at, size);
        if (wrote < 0 && errno != EINTR)
            return;
        if (wrote > 0) {
            at += wrote;
            size -= (size_t)wrote;
        }
    }
}

/* Sends a frame whose payload is already behind the room for its header. */
static void send(unsigned char *frame, int type, size_t size)
{
    frame[0] = RINGSIDE_FRAME_MAGIC;
    frame[1] = (unsigned char)type;
    frame[2] = (unsigned char)size;
    frame[3] = (unsigned char)(size >> 8);
    write_all(console, frame, HEADER_BYTES + size);
}

_Noreturn static void power_off(void)
{
    reboot(RB_POWER_OFF);
    /* Not reached on a machine that can be switched off. Process 1 must not end. */
    for (;;)
        pause();
}

_Noreturn static void finish(int status)
{
    unsigned char frame[HEADER_BYTES + 4];
    for (int i = 0; i < 4; i++)
        frame[HEADER_BYTES + i] = (unsigned char)(status >> (8 * i));
    if (!raw)
        send(frame, RINGSIDE_FRAME_EXIT, 4);
    power_off();
}

/* Says why there is no program to run, with the exit status that shells give for it. */
_Noreturn static void refuse(const char *what, int reason)
{
    unsigned char frame[HEADER_BYTES + PAYLOAD_BYTES];
    int size = snprintf((char *)frame + HEADER_BYTES, PAYLOAD_BYTES, "%s: %s", what, strerror(reason));
    if (size >= PAYLOAD_BYTES)
        size = PAYLOAD_BYTES - 1;
    if (raw)
        dprintf(console, "init: %s\n", (char *)frame + HEADER_BYTES);
    else
        send(frame, RINGSIDE_FRAME_MESSAGE, (size_t)size);
    finish((reason == ENOENT ? 127 : 126) << 8);
}

static int forwarded_fd;

static void stop_waiting(int signal)
{
    (void)signal;
    fcntl(forwarded_fd, F_SETFL, O_RDONLY | O_NONBLOCK);
}

/*
 * Carries a pipe of the program's output to the console until all its writers are gone or, after SIGTERM,
 * until it is empty.
 *
 * The handler makes reads non-blocking instead of setting a variable, so that it does not matter whether the
 * signal comes during a read or just before it. What the pipe held at the signal is at most its capacity, so
 * a descendant that never stops writing does not keep the machine alive.
 */
_Noreturn static void forward_output(int from, int type)
{
    unsigned char frame[HEADER_BYTES + PAYLOAD_BYTES];
    struct sigaction action = { .sa_handler = stop_waiting };
    sigset_t termination = 1UL << (SIGTERM - 1);
    size_t last_bytes = 0;

    forwarded_fd = from;
    sigaction(SIGTERM, &action, 0);
    sigprocmask(SIG_UNBLOCK, &termination, 0);
    while (last_bytes < PIPE_BYTES) {
        ssize_t got = read(from, frame + HEADER_BYTES, PAYLOAD_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        send(frame, type, (size_t)got);
        if (fcntl(from, F_GETFL) & O_NONBLOCK)
            last_bytes += (size_t)got;
    }
    _exit(0);
}

/* Bytes from the console, read in as large pieces as there are. */
static unsigned char received[PAYLOAD_BYTES];
static size_t received_bytes, taken_bytes;

static int next_byte(void)
{
    if (taken_bytes == received_bytes) {
        ssize_t got;
        while ((got = read(console, received, sizeof(received))) < 0 && errno == EINTR)
            ;
        if (got <= 0)
            return -1;
        received_bytes = (size_t)got;
        taken_bytes = 0;
    }
    return received[taken_bytes++];
}

/* Carries input frames from the console to the program. Bytes that belong to no frame are skipped. */
_Noreturn static void forward_input(int to)
{
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        int byte = next_byte();
        if (byte < 0)
            break;
        if (byte != RINGSIDE_FRAME_MAGIC)
            continue;
        int type = next_byte(), low = next_byte(), high = next_byte();
        if (high < 0)
            break;
        size_t left = (size_t)(low | high << 8);
        while (left > 0) {
            /* What is there goes on at once: the host may have sent half a frame. */
            if (taken_bytes == received_bytes) {
                if (next_byte() < 0)
                    goto out;
                taken_bytes--;
            }
            size_t part = received_bytes - taken_bytes < left ? received_bytes - taken_bytes : left;
            unsigned char *at = received + taken_bytes;
            taken_bytes += part;
            left -= part;
            while (type == RINGSIDE_FRAME_STDIN && to >= 0 && part > 0) {
                ssize_t wrote = write(to, at, part);
                if (wrote > 0) {
                    at += wrote;
                    part -= (size_t)wrote;
                } else if (errno != EINTR) {
                    unsigned char frame[HEADER_BYTES];
                    close(to);
                    to = -1;
                    send(frame, RINGSIDE_FRAME_STDIN_CLOSED, 0);
                }
            }
        }
        if (type == RINGSIDE_FRAME_STDIN_END && to >= 0) {
            close(to);
            to = -1;
        }
    }
out:
    /* The console is gone, and with it the program's input. */
    _exit(0);
}

/*
 * Reads a file of strings that each end with NUL, as a vector that ends with a null pointer. An absent file
 * is an empty vector. *count gets the number of strings.
 */
static char **read_strings(const char *path, int *count)
{
    size_t size = 0, room = 4096;
    char *text = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *count = 0;
    if (fd < 0 && errno != ENOENT)
        refuse(path, errno);
    while (fd >= 0) {
        if (text && size + 1 == room)
            text = realloc(text, room *= 2);
        if (!text)
            refuse(path, ENOMEM);
        ssize_t got = read(fd, text + size, room - size - 1);
        if (got < 0)
            refuse(path, errno);
        if (got == 0)
            break;
        size += (size_t)got;
    }
    close(fd);
    /* Ends a last string that nobody ended. */
    if (text && size > 0 && text[size - 1] != 0)
        text[size++] = 0;

    for (size_t i = 0; i < size; i++)
        *count += text[i] == 0;
    char **strings = calloc((size_t)*count + 1, sizeof(*strings));
    if (!strings)
        refuse(path, ENOMEM);
    char *at = text;
    for (int i = 0; i < *count; i++, at += strlen(at) + 1)
        strings[i] = at;
    return strings;
}

/* What kept the program from starting, as it travels from the child to process 1. */
struct failure {
    int reason;
    int in_directory;
};

/* Becomes the program. On failure, leaves the reason in the pipe `report`, which a success closes. */
_Noreturn static void become(char **argv, char **envp, const char *directory, int report)
{
    struct failure failure = { 0, 0 };
    sigset_t none = 0;
    sigprocmask(SIG_SETMASK, &none, 0);
    if (directory && chdir(directory) < 0)
        failure.in_directory = 1;
    else
        execvpe(argv[0], argv, envp);
    failure.reason = errno;
    write_all(report, &failure, sizeof(failure));
    _exit(126);
}

static pid_t start(void (*serve)(int, int), int fd, int argument, const int *others, int other_count)
{
    pid_t pid = fork();
    if (pid < 0)
        refuse("init", errno);
    if (pid == 0) {
        for (int i = 0; i < other_count; i++)
            if (others[i] != fd)
                close(others[i]);
        serve(fd, argument);
    }
    return pid;
}

static void serve_input(int fd, int unused)
{
    (void)unused;
    forward_input(fd);
}

static void serve_output(int fd, int type) { forward_output(fd, type); }

int main(void)
{
    int argument_count, variable_count, directory_count, pipes[3][2], report[2];

    /* On a running system the last act would switch that system off. */
    if (getpid() != 1) {
        dprintf(2, "init: this program is process 1 of a Ringside guest and does nothing elsewhere\n");
        return 1;
    }
    console = open("/dev/console", O_RDWR | O_CLOEXEC);
    if (console < 0)
        power_off();
    raw = access(RINGSIDE_PATH_RAW, F_OK) == 0;

    char **argv = read_strings(RINGSIDE_PATH_ARGV, &argument_count);
    char **envp = read_strings(RINGSIDE_PATH_ENVP, &variable_count);
    char **directory = read_strings(RINGSIDE_PATH_CWD, &directory_count);
    if (argument_count == 0)
        refuse(RINGSIDE_PATH_ARGV, ENOENT);

    /* Blocked until a forwarder can handle it, so that an early one is not lost. */
    sigset_t termination = 1UL << (SIGTERM - 1);
    sigprocmask(SIG_BLOCK, &termination, 0);

    if (pipe2(report, O_CLOEXEC) < 0)
        refuse("init", errno);
    for (int i = 0; i < 3; i++)
        if (!raw && pipe2(pipes[i], O_CLOEXEC) < 0)
            refuse("init", errno);

    pid_t program = fork();
    if (program < 0)
        refuse("init", errno);
    if (program == 0) {
        /* A session of its own: signals to its group do not hit the forwarders. */
        setsid();
        if (raw)
            ioctl(console, 0x540e /* TIOCSCTTY: the terminal of the session */, 0);
        for (int i = 0; i < 3; i++)
            dup2(raw ? console : pipes[i][i == 0 ? 0 : 1], i);
        become(argv, envp, directory[0], report[1]);
    }

    pid_t output = -1, errors = -1;
    close(report[1]);
    if (!raw) {
        /* The ends that only the program keeps, and those that only one forwarder keeps. */
        close(pipes[0][0]);
        close(pipes[1][1]);
        close(pipes[2][1]);
        int ends[] = { pipes[0][1], pipes[1][0], pipes[2][0], report[0] };
        start(serve_input, ends[0], 0, ends, 4);
        output = start(serve_output, ends[1], RINGSIDE_FRAME_STDOUT, ends, 4);
        errors = start(serve_output, ends[2], RINGSIDE_FRAME_STDERR, ends, 4);
        for (int i = 0; i < 3; i++)
            close(ends[i]);
    }
    struct failure failure;
    ssize_t reported;
    while ((reported = read(report[0], &failure, sizeof(failure))) < 0 && errno == EINTR)
        ;
    if (reported == sizeof(failure))
        refuse(failure.in_directory ? directory[0] : argv[0], failure.reason);

    /*
     * Reaps everything: the program, orphans, and the forwarders, which end in any order. Without the program
     * there is nothing more to come, and what has come is sent before the end is told.
     */
    int status = 0;
    while (program > 0 || output > 0 || errors > 0) {
        int ended;
        pid_t pid = wait(&ended);
        if (pid < 0 && errno != EINTR)
            break;
        if (pid == output)
            output = -1;
        if (pid == errors)
            errors = -1;
        if (pid == program) {
            program = -1;
            status = ended;
            if (output > 0)
                kill(output, SIGTERM);
            if (errors > 0)
                kill(errors, SIGTERM);
        }
    }
    finish(status);
}
