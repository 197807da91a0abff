#!/usr/bin/env python3
"""
Runs a program of the guest under /init, and behaves like the program it ran: standard output, error and exit status are its own.

    guest.py [options] -- PROGRAM [ARGUMENT...]

    --kernel FILE        run in QEMU with this kernel (default: ../images/kernel.elf)
    --namespace          run /init on this Linux host instead, as process 1 of namespaces of its own, with a
                         pseudo-terminal as its console. Needs root. It shows what the protocol does where the kernel is right.
    --file HOST[:GUEST]  a file for the guest (default place: /bin/NAME); may be repeated
    --env NAME=VALUE     may be repeated
    --cwd FOLDER         where the program starts
    --stdin FILE         what the program reads ("-": the input of this command). Default: nothing, ended at once
    --keep-stdin-open    never say that the input has ended
    --memory MIB         default 128
    --timeout SECONDS    default 60; then the status is 124
    --initrd FILE        write the initrd there and run nothing
    --raw                give the program the console, without frames

PROGRAM is the path in the guest. /init is build/init.
"""
import argparse
import os
import pty
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import tty

HERE = os.path.dirname(os.path.abspath(__file__))
USER = os.path.dirname(HERE)
GUEST = os.path.dirname(USER)
MAGIC, STDOUT, STDERR, EXIT, STDIN_CLOSED, MESSAGE, STDIN, STDIN_END = 0xF5, 1, 2, 3, 4, 5, 0x81, 0x82
S_IFDIR, S_IFREG, S_IFCHR = 0o040000, 0o100000, 0o020000


def strings(values):
    return b"".join(value.encode("utf-8", "surrogateescape") + b"\0" for value in values)


def tree(options):
    """What the guest's root holds: (path, mode, bytes or (major, minor)) in an order in which folders come first."""
    nodes = {path: (S_IFDIR | mode, b"") for path, mode in
             [("bin", 0o755), ("dev", 0o755), ("proc", 0o555), ("ringside", 0o755), ("tmp", 0o1777)]}
    nodes["dev/console"] = (S_IFCHR | 0o600, (5, 1))
    nodes["dev/null"] = (S_IFCHR | 0o666, (1, 3))
    nodes["dev/zero"] = (S_IFCHR | 0o666, (1, 5))
    with open(os.path.join(USER, "build", "init"), "rb") as file:
        nodes["init"] = (S_IFREG | 0o755, file.read())
    nodes["ringside/argv"] = (S_IFREG | 0o644, strings(options.command))
    nodes["ringside/envp"] = (S_IFREG | 0o644, strings(options.env))
    if options.cwd:
        nodes["ringside/cwd"] = (S_IFREG | 0o644, options.cwd.encode())
    if options.raw:
        nodes["ringside/raw"] = (S_IFREG | 0o644, b"")
    for mapping in options.file:
        host, _, guest = mapping.partition(":")
        guest = (guest or "/bin/" + os.path.basename(host)).lstrip("/")
        for index, letter in enumerate(guest):
            if letter == "/":
                nodes.setdefault(guest[:index], (S_IFDIR | 0o755, b""))
        with open(host, "rb") as file:
            nodes[guest] = (S_IFREG | (os.stat(host).st_mode & 0o777), file.read())
    return sorted(nodes.items())


def cpio(nodes):
    """The "newc" archive that Linux calls an initramfs (Linux, Documentation/driver-api/early-userspace/buffer-format.rst)."""
    archive = bytearray()

    def entry(inode, name, mode, data, major=0, minor=0):
        encoded = name.encode() + b"\0"
        fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(encoded), 0]
        archive.extend(b"070701" + b"".join(b"%08X" % field for field in fields) + encoded)
        archive.extend(bytes(-len(archive) % 4))
        archive.extend(data)
        archive.extend(bytes(-len(archive) % 4))

    for inode, (name, (mode, content)) in enumerate(nodes, 1):
        if isinstance(content, tuple):
            entry(inode, name, mode, b"", *content)
        else:
            entry(inode, name, mode, content)
    entry(0, "TRAILER!!!", 0, b"")
    return bytes(archive)


class Frames:
    """Takes the console apart. What is outside frames is the kernel's log and goes to standard error."""

    def __init__(self):
        self.buffer = bytearray()
        self.status = None
        self.input_closed = False

    def feed(self, data):
        self.buffer += data
        while self.buffer:
            if self.buffer[0] != MAGIC:
                end = self.buffer.find(bytes([MAGIC]))
                end = len(self.buffer) if end < 0 else end
                os.write(2, b"[console] " + self.buffer[:end])
                del self.buffer[:end]
                continue
            if len(self.buffer) < 4:
                return
            kind, size = struct.unpack_from("<BH", self.buffer, 1)
            if len(self.buffer) < 4 + size:
                return
            payload = bytes(self.buffer[4:4 + size])
            del self.buffer[:4 + size]
            if kind == STDOUT:
                write_all(1, payload)
            elif kind == STDERR:
                write_all(2, payload)
            elif kind == EXIT:
                self.status = struct.unpack("<I", payload)[0]
            elif kind == STDIN_CLOSED:
                self.input_closed = True
            elif kind == MESSAGE:
                os.write(2, b"not started: " + payload + b"\n")
            else:
                os.write(2, b"[frame of unknown type %d]\n" % kind)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def input_chunks(options):
    if options.stdin == "-":
        while chunk := os.read(0, 4096):
            yield chunk
    elif options.stdin:
        with open(options.stdin, "rb") as file:
            while chunk := file.read(4096):
                yield chunk


def converse(options, from_guest, to_guest, process, log=None):
    """Talks to the guest until its console ends; gives the wait status, or None when the time is up or it never came."""
    frames = Frames()
    source = input_chunks(options)
    pending = b""
    source_ended = False
    deadline = time.monotonic() + options.timeout
    os.set_blocking(to_guest, False)
    # What comes before the kernel has set up its serial port is lost, so the kernel's log has the first word.
    started = log is None
    with selectors.DefaultSelector() as selector:
        if log is not None:
            selector.register(log, selectors.EVENT_READ)
        selector.register(from_guest, selectors.EVENT_READ)
        if to_guest != from_guest:
            selector.register(to_guest, selectors.EVENT_WRITE)
        else:
            selector.modify(from_guest, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            # Asked before the select, so that what the process wrote just before its end is read.
            ended = process.poll() is not None
            ready = selector.select(0 if ended else min(left, 0.1))
            if ended and not any(events & selectors.EVENT_READ and key.fd != log for key, events in ready):
                return frames.status
            for key, events in ready:
                if key.fd == log:
                    text = os.read(log, 65536)
                    os.write(2, text)
                    started = True
                    if not text:
                        selector.unregister(log)
                    continue
                if events & selectors.EVENT_WRITE and not started:
                    time.sleep(0.01)
                elif events & selectors.EVENT_WRITE:
                    if not pending and not source_ended:
                        chunk = None if frames.input_closed else next(source, None)
                        if chunk is not None:
                            pending = struct.pack("<BBH", MAGIC, STDIN, len(chunk)) + chunk
                        else:
                            source_ended = True
                            if not options.keep_stdin_open:
                                pending = struct.pack("<BBH", MAGIC, STDIN_END, 0)
                    try:
                        if pending:
                            pending = pending[os.write(to_guest, pending):]
                    except BlockingIOError:
                        pass
                    except OSError:
                        pending, source_ended = b"", True
                    if source_ended and not pending:
                        if to_guest != from_guest:
                            selector.unregister(to_guest)
                        else:
                            selector.modify(from_guest, selectors.EVENT_READ)
                if events & selectors.EVENT_READ:
                    data = os.read(from_guest, 65536)
                    if not data:
                        return frames.status
                    frames.feed(data)


def run_qemu(options, initrd_path):
    command = [os.path.join(GUEST, "scripts", "qemu.sh"), options.kernel, options.append, initrd_path, str(options.memory)]
    if options.raw:
        return subprocess.run(command).returncode << 8
    log, log_end = os.pipe()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[log_end],
                               env={**os.environ, "DEBUG_CONSOLE": f"/dev/fd/{log_end}"})
    os.close(log_end)
    status = converse(options, process.stdout.fileno(), process.stdin.fileno(), process, log)
    if status is None and process.poll() is None:
        time.sleep(0.2)
        process.kill()
    code = process.wait()
    if status is not None and code != 1:
        os.write(2, b"[QEMU ended with %d, not 1: the guest was not switched off with 0]\n" % code)
    return status


def run_namespace(options, nodes):
    """/init in a chroot and in PID and mount namespaces of its own, where powering off only ends the namespace."""
    root = tempfile.mkdtemp(prefix="ringside-init-")
    try:
        for name, (mode, content) in nodes:
            path = os.path.join(root, name)
            if mode & S_IFDIR:
                os.mkdir(path)
            else:
                with open(path, "wb") as file:
                    if isinstance(content, bytes):
                        file.write(content)
            os.chmod(path, mode & 0o7777)
        master, slave = pty.openpty()
        tty.setraw(slave)
        mounts = (f'mount --bind {os.ttyname(slave)} "{root}/dev/console" && mount -t proc proc "{root}/proc" && '
                  f'mount --bind /dev/null "{root}/dev/null" && mount --bind /dev/zero "{root}/dev/zero" && exec chroot "{root}" /init')
        process = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "--mount", "sh", "-c", mounts],
                                   stdin=subprocess.DEVNULL, stdout=2, start_new_session=True)
        # The other end stays open here: a pseudo-terminal that nobody has open cannot be read, and /init opens it only later.
        status = converse(options, master, master, process)
        if status is None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(slave)
        os.close(master)
        return status
    finally:
        shutil.rmtree(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", default=os.path.join(GUEST, "images", "kernel.elf"))
    parser.add_argument("--append", default="")
    parser.add_argument("--namespace", action="store_true")
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--cwd")
    parser.add_argument("--stdin")
    parser.add_argument("--keep-stdin-open", action="store_true")
    parser.add_argument("--memory", type=int, default=128)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--initrd")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()

    nodes = tree(options)
    if options.namespace:
        status = run_namespace(options, nodes)
    else:
        archive = cpio(nodes)
        if options.initrd:
            with open(options.initrd, "wb") as file:
                file.write(archive)
            return 0
        with tempfile.NamedTemporaryFile(suffix=".cpio") as file:
            file.write(archive)
            file.flush()
            status = run_qemu(options, file.name)
    if status is None:
        os.write(2, b"[no exit status: the guest hung, panicked or was cut off]\n")
        return 124
    return 128 + (status & 0x7F) if status & 0x7F else status >> 8 & 0xFF


sys.exit(main())
