/*
 * console.c: the one terminal: line discipline between the machine's console and programs.
 *
 * At boot it passes bytes as they are (programs speak frames over it), unless the initrd holds
 * /ringside/raw, which asks for a terminal that a person can use. When the input ring is full the
 * machine is not listened to, so nothing is lost.
 */
#include "defs.h"

#define RING 4096
#define END_OF_FILE 0x100 /* in the ring: what Ctrl-D leaves */

static struct linux_termios settings = {
    .cflag = CS8 | CREAD | B38400,
    .cc = {[VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1,
           [VSTART] = 17, [VSTOP] = 19, [VSUSP] = 26, [VREPRINT] = 18, [VDISCARD] = 15,
           [VWERASE] = 23, [VLNEXT] = 22},
};
static struct linux_winsize window = {24, 80, 0, 0};
static u16 ring[RING];
static u32 ring_start, ring_length, lines;
static u8 line[RING - 8];
static u32 line_length;
static bool listening;
static struct queue readers;
static i32 session, foreground;

void console_init(bool cooked) {
    if (cooked) {
        settings.iflag = ICRNL | IXON;
        settings.oflag = OPOST | ONLCR;
        settings.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
    }
    listening = true;
    machine_console_listen(true);
    kernel_console();
}

static void output(const u8 *bytes, usize count) {
    if (!(settings.oflag & OPOST) || !(settings.oflag & ONLCR)) {
        machine_console_write(bytes, count);
        return;
    }
    while (count) {
        usize plain = 0;
        while (plain < count && bytes[plain] != '\n') plain++;
        machine_console_write(bytes, plain);
        bytes += plain;
        count -= plain;
        if (!count) break;
        machine_console_write((const u8 *)"\r\n", 2);
        bytes++;
        count--;
    }
}

static void echo(u8 byte) {
    if (!(settings.lflag & ECHO)) {
        if (byte != '\n' || !(settings.lflag & ECHONL) || !(settings.lflag & ICANON)) return;
    }
    if (settings.lflag & ECHOCTL && (byte < 32 || byte == 127) && byte != '\n' && byte != '\t') {
        u8 pair[2] = {'^', byte ^ 64};
        output(pair, 2);
    } else {
        output(&byte, 1);
    }
}

static void push(u16 value) {
    if (ring_length == RING) return; /* only marks can come here; bytes stay in the device */
    ring[(ring_start + ring_length++) % RING] = value;
}

static void end_line(bool end_of_file) {
    for (u32 i = 0; i < line_length; i++) push(line[i]);
    if (end_of_file) push(END_OF_FILE);
    line_length = 0;
    lines++;
    wake_all(&readers);
    wake_pollers();
}

static void erase_one(void) {
    if (!line_length) return;
    u8 byte = line[--line_length];
    if (!(settings.lflag & ECHOE) || !(settings.lflag & ECHO)) return;
    output((const u8 *)"\b \b", 3);
    if (byte < 32 && byte != '\t') output((const u8 *)"\b \b", 3);
}

static void flush_input(void) {
    ring_length = line_length = lines = 0;
}

static bool control_key(u8 byte, int which) { return settings.cc[which] && settings.cc[which] == byte; }

/* One byte of input in canonical mode. */
static void edit(u8 byte) {
    if (control_key(byte, VERASE) || byte == '\b') {
        erase_one();
    } else if (control_key(byte, VKILL)) {
        while (line_length) erase_one();
    } else if (control_key(byte, VWERASE)) {
        while (line_length && line[line_length - 1] == ' ') erase_one();
        while (line_length && line[line_length - 1] != ' ') erase_one();
    } else if (control_key(byte, VEOF)) {
        end_line(true);
    } else {
        echo(byte);
        if (line_length < sizeof line) line[line_length++] = byte;
        if (byte == '\n' || control_key(byte, VEOL)) end_line(false);
    }
}

static void input(u8 byte) {
    if (settings.iflag & ISTRIP) byte &= 127;
    if (byte == '\r') {
        if (settings.iflag & IGNCR) return;
        if (settings.iflag & ICRNL) byte = '\n';
    } else if (byte == '\n' && settings.iflag & INLCR) {
        byte = '\r';
    }
    if (settings.lflag & ISIG) {
        int signal = control_key(byte, VINTR)   ? SIGINT
                     : control_key(byte, VQUIT) ? SIGQUIT
                     : control_key(byte, VSUSP) ? SIGTSTP
                                                : 0;
        if (signal) {
            echo(byte);
            if (!(settings.lflag & NOFLSH)) flush_input();
            if (foreground) signal_send_group(foreground, signal, NULL);
            return;
        }
    }
    if (settings.lflag & ICANON) {
        edit(byte);
        return;
    }
    echo(byte);
    push(byte);
    wake_all(&readers);
    wake_pollers();
}

/* Whether bytes mean nothing but themselves. */
static bool passes_bytes(void) {
    return !(settings.lflag & (ICANON | ISIG | ECHO | ECHONL)) &&
           !(settings.iflag & (ISTRIP | INLCR | IGNCR | ICRNL));
}

/* Takes what the machine has, while there is room for it. */
void kernel_console(void) {
    bool plain = passes_bytes(), more = true;
    while (ring_length + line_length < RING - 2) {
        int byte = machine_console_read();
        more = byte >= 0;
        if (!more) break;
        if (plain) push((u8)byte);
        else input((u8)byte);
    }
    if (plain) {
        wake_all(&readers);
        wake_pollers();
    }
    if (!more) return;
    listening = false;
    machine_console_listen(false);
}

static bool has_input(void) {
    return settings.lflag & ICANON ? lines > 0 : ring_length > 0;
}

/* A process in the background must not read. */
static i64 check_foreground(int signal) {
    if (!session || current->session != session || current->group == foreground) return 0;
    u64 bit = 1ull << (signal - 1);
    if (current->blocked & bit || current->signals->actions[signal - 1].handler == SIG_IGN)
        return signal == SIGTTIN ? -EIO : 0;
    signal_send_group(current->group, signal, NULL);
    return -ERESTARTSYS;
}

/* Takes what is there, as long as it fits. */
static i64 take_plain(struct buffer *to) {
    static u8 part[512]; /* nothing sleeps below, so one is enough */
    i64 done = 0;
    while (to->left && ring_length) {
        usize count = 0, limit = MIN(to->left, sizeof part);
        for (; count < limit && ring_length; ring_length--) {
            if (ring[ring_start] != END_OF_FILE) part[count++] = (u8)ring[ring_start];
            ring_start = (ring_start + 1) % RING;
        }
        if (buffer_put(to, part, count)) return done ? done : -EFAULT;
        done += (i64)count;
    }
    return done;
}

/* Takes a line, or what of it fits. */
static i64 take_line(struct buffer *to) {
    i64 done = 0;
    while (to->left && ring_length) {
        u16 value = ring[ring_start];
        ring_start = (ring_start + 1) % RING;
        ring_length--;
        bool line_ends = value == END_OF_FILE || value == '\n' || control_key((u8)value, VEOL);
        if (line_ends && lines) lines--;
        if (value == END_OF_FILE) break;
        u8 byte = (u8)value;
        if (buffer_put(to, &byte, 1)) return done ? done : -EFAULT;
        done++;
        if (line_ends) break;
    }
    return done;
}

static i64 console_read(struct file *file, struct buffer *to, u64 *offset) {
    (void)offset;
    i64 error = check_foreground(SIGTTIN);
    if (error) return error;
    if (!to->left) return 0;
    while (!has_input()) {
        if (file->flags & O_NONBLOCK) return -EAGAIN;
        bool raw = !(settings.lflag & ICANON);
        if (raw && !settings.cc[VMIN]) {
            if (!settings.cc[VTIME]) return 0;
            error = sleep_until(&readers, machine_time() + settings.cc[VTIME] * 100000000ull);
            if (error == -ETIMEDOUT) return 0;
        } else {
            error = sleep_on(&readers);
        }
        if (error) return error;
    }
    i64 done = settings.lflag & ICANON ? take_line(to) : take_plain(to);
    if (!listening) {
        listening = true;
        machine_console_listen(true);
        kernel_console();
    }
    return done;
}

static i64 console_write(struct file *file, struct buffer *from, u64 *offset) {
    (void)file, (void)offset;
    if (settings.lflag & TOSTOP) {
        i64 error = check_foreground(SIGTTOU);
        if (error) return error;
    }
    static u8 part[1024]; /* nothing sleeps below, so one is enough */
    i64 done = 0;
    while (from->left) {
        usize count = MIN(from->left, sizeof part);
        i64 error = buffer_get(from, part, count);
        if (error) return done ? done : error;
        output(part, count);
        done += (i64)count;
    }
    return done;
}

static u32 console_poll(struct file *file) {
    (void)file;
    return POLLOUT | POLLWRNORM | (has_input() ? POLLIN | POLLRDNORM : 0);
}

/* What was typed before the terminal edits lines becomes lines now. */
static void edit_typed_ahead(void) {
    lines = 0;
    for (u32 count = ring_length; count; count--) {
        u16 value = ring[ring_start];
        ring_start = (ring_start + 1) % RING;
        ring_length--;
        if (value != END_OF_FILE) edit((u8)value);
    }
}

static i64 set_settings(u64 argument, bool flush) {
    struct linux_termios new;
    if (copy_in(&new, argument, sizeof new)) return -EFAULT;
    if (flush) flush_input();
    bool was_canonical = settings.lflag & ICANON;
    settings = new;
    if (was_canonical && !(settings.lflag & ICANON)) end_line(false);
    if (!was_canonical && settings.lflag & ICANON) edit_typed_ahead();
    return 0;
}

static i64 console_control(struct file *file, u32 request, u64 argument) {
    (void)file;
    i32 number;
    switch (request) {
    case TCGETS:
        return copy_out(argument, &settings, sizeof settings);
    case TCSETS:
    case TCSETSW:
        return set_settings(argument, false);
    case TCSETSF:
        return set_settings(argument, true);
    case TCSBRK:
    case TCSBRKP:
    case TCXONC:
        return 0;
    case TCFLSH:
        if (argument != 1) flush_input();
        return 0;
    case TIOCGWINSZ:
        return copy_out(argument, &window, sizeof window);
    case TIOCSWINSZ:
        if (copy_in(&window, argument, sizeof window)) return -EFAULT;
        if (foreground) signal_send_group(foreground, SIGWINCH, NULL);
        return 0;
    case TIOCSCTTY:
        if (current->session != current->pid) return -EPERM;
        if (session && session != current->session && !argument) return -EPERM;
        session = current->session;
        foreground = current->group;
        return 0;
    case TIOCNOTTY:
        if (current->session != session) return -ENOTTY;
        if (current->pid == session) session = foreground = 0;
        return 0;
    case TIOCGPGRP:
        if (current->session != session) return -ENOTTY;
        return copy_out(argument, &foreground, sizeof foreground);
    case TIOCSPGRP:
        if (current->session != session) return -ENOTTY;
        if (copy_in(&number, argument, sizeof number)) return -EFAULT;
        if (number <= 0) return -EINVAL;
        if (!group_in_session(number, session)) return -EPERM;
        foreground = number;
        return 0;
    case TIOCGSID:
        if (current->session != session) return -ENOTTY;
        return copy_out(argument, &session, sizeof session);
    case FIONREAD:
        number = (i32)ring_length;
        return copy_out(argument, &number, sizeof number);
    case TIOCOUTQ:
        number = 0;
        return copy_out(argument, &number, sizeof number);
    default:
        return -ENOTTY;
    }
}

/* Linux's three names: /dev/tty is the controlling terminal, if there is one; opening /dev/ttyS0 gives
 * one to a session leader without; opening /dev/console does not. */
i64 console_open(const struct inode *device, u32 flags) {
    u32 major = device->device.major, minor = device->device.minor;
    if (major == 5 && minor == 0) return console_controls(current->session) ? 0 : -ENXIO;
    if (major == 4 && !session && current->pid == current->session && !(flags & O_NOCTTY)) {
        session = current->session;
        foreground = current->group;
    }
    return 0;
}

bool console_controls(i32 of_session) { return session && session == of_session; }
i32 console_foreground(void) { return foreground; }

/* The session leader ends: its terminal is free again, and its programs are told. */
void console_hang_up(void) {
    if (!session || current->pid != session) return;
    i32 group = foreground;
    session = foreground = 0;
    if (!group) return;
    signal_send_group(group, SIGHUP, NULL);
    signal_send_group(group, SIGCONT, NULL);
}

const struct file_kind console_kind = {
    .read = console_read, .write = console_write, .control = console_control, .poll = console_poll};
