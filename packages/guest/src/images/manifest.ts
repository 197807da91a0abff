/** What is in user/programs.json. Written by scripts/embed-images.ts. */
import type { GuestProgram } from "../guest-program.ts";

export const guestPrograms: readonly GuestProgram[] = [
  {
    "name": "processes",
    "category": "test",
    "file": "tests/processes",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "exit keeps the low eight bits: exited with 44\nSIGKILL: killed by signal 9\nabort: killed by signal 6\nSIGTERM: killed by signal 15\na new process has no children: exited with 0\nfork gives the parent a positive number: yes\nthe child knows its parent: exited with 5\nWNOHANG while the child runs: 0\nthe child ends when the pipe does: exited with 9\nwaiting for it again: -1 ECHILD\nWNOHANG without children: -1 ECHILD\nthree children add up to 14\na fourth wait: -1 ECHILD\nthe middle process: exited with 0\nan orphan gets another parent: yes\nkill with signal 0 to oneself: 0\nkill of nobody: -1 ESRCH\nkill with a wrong signal: -1 EINVAL\nwaitpid with wrong options: -1 EINVAL\n"
  },
  {
    "name": "fork-tree",
    "category": "test",
    "file": "tests/fork-tree",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "depth 0: 1 processes\ndepth 1: 3 processes\ndepth 2: 7 processes\ndepth 3: 15 processes\ndepth 4: 31 processes\ndepth 5: 63 processes\na chain of 20\n"
  },
  {
    "name": "vfork",
    "category": "test",
    "file": "tests/vfork",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "the child left 42\nvfork and _exit: exited with 3\nvfork and a failing execve: exited with 127\nclone writes the child's number in the child: exited with 0\nand not in the parent: 0\n"
  },
  {
    "name": "pipes",
    "category": "test",
    "file": "tests/pipes",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "pipe: 0\nwrite: 7\nwrite: 5\nread takes what is there: 12\n'hello, world'\nwrite to the reading end: -1 EBADF\nread from the writing end: -1 EBADF\nlseek: -1 ESPIPE\nit is a FIFO: yes\na write of nothing: 0\nwritev: 13\na short read: 3\nthe rest: 10\n'one two three'\na non-blocking read of an empty pipe: -1 EAGAIN\na read after the last writer: 0\na write without a reader: killed by signal 13\nthe same with SIGPIPE ignored: -1 EPIPE\na write to a full pipe: -1 EAGAIN\na pipe holds at least 4096 bytes: yes\nall that went in comes out: yes\nclose: 0\nclose: 0\nline 0\nline 1\nline 2\nline 3\nline 4\nthe writer: exited with 0\npipe2 with a wrong flag: -1 EINVAL\n"
  },
  {
    "name": "big-pipe",
    "category": "test",
    "file": "tests/big-pipe",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "1048576 bytes came, 0 of them wrong\nthe source: exited with 0\na stage: exited with 0\na stage: exited with 0\na stage: exited with 0\n"
  },
  {
    "name": "poll",
    "category": "test",
    "file": "tests/poll",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "an empty pipe can be written: 1 [] [out ] []\nnow it can also be read: 2 [in ] [out ] []\nthe second has lost its writer: 3 [in ] [out ] [hup ]\nthe second is closed: 3 [in ] [out ] [invalid ]\na negative descriptor is skipped: 2 [in ] [out ] []\nempty again: 0 []\n20 ms of nothing: 0 []\nthey took at least 20 ms: yes\npoll as a pause: 0\n/dev/null is always ready: 1 [in out ]\npoll waits for a child: 1 [in ]\nit wrote y\nthe child: exited with 0\na signal ends poll: -1 EINTR []\na pipe without reader: 1 [out err ]\n"
  },
  {
    "name": "descriptors",
    "category": "test",
    "file": "tests/descriptors",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "the lowest free number: 3\ndup takes the next: 4\ndup2 takes the one it is told: 9\ndup2 onto itself: 9\ndup2 of a closed one: -1 EBADF\ndup2 of a closed one onto itself: -1 EBADF\ndup2 to a negative one: -1 EBADF\ndup3 onto itself: -1 EINVAL\ndup3 with a wrong flag: -1 EINVAL\ndup3: 14\nF_GETFD of it: 1\nF_GETFD of the first: 0\nF_DUPFD from 6: 6\nF_DUPFD_CLOEXEC from 6: 7\nF_GETFD of that: 1\nF_SETFD: 0\nF_GETFD after: 0\nan unknown command: -1 EINVAL\nthe copy's position: 3\nanother opening's position: 0\na child moves on: exited with 0\nthe position after that: 5\nF_GETFL access mode: 2\nF_SETFL: 0\nthe copy appends too: yes\nthe other opening does not: yes\nclose: 0\nclose again: -1 EBADF\nthe number is free again: 4\na child closes its copy: exited with 0\nours is still open: 0\nread of a closed one: -1 EBADF\nwrite of a negative one: -1 EBADF\nwrite to one open for reading: -1 EBADF\nread from one open for writing: -1 EBADF\nfstat of a closed one: -1 EBADF\na huge number: -1 EBADF\nthe test leaves nothing behind: yes\n"
  },
  {
    "name": "files",
    "category": "test",
    "file": "tests/files",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "create: ok\ncreate again: -1 EEXIST\nwrite: 12\na: 0\n  12 bytes, mode 644, regular 1, links 1\nposition: 12\nSEEK_SET: 7\nread: 5\n'world'\nread at the end: 0\nSEEK_END: 7\noverwrite: 1\nbefore the beginning: -1 EINVAL\na wrong whence: -1 EINVAL\npread: 5\n'Hello'\npwrite: 1\nthe position stayed: 8\npread at a negative place: -1 EINVAL\na: 'Jello, World'\nfar beyond the end: 100000\nwrite there: 3\na: 0\n  100003 bytes, mode 644, regular 1, links 1\nthe hole holds 99988 zeros\ncut: 0\na: 0\n  5 bytes, mode 644, regular 1, links 1\nlengthen: 0\na: 'Jello...'\nto a negative size: -1 EINVAL\nappending moves the position: 12\na: 'Jello...tail'\na: 0\n  0 bytes, mode 644, regular 1, links 1\nwritev: 8\nwritev of a negative number of pieces: -1 EINVAL\nb: 0\n  8 bytes, mode 640, regular 1, links 1\nreadv: 8\n'one' ', two'\nftruncate of a file open for reading: -1 EINVAL\nopen what is not there: -1 ENOENT\nthrough a file: -1 ENOTDIR\nan empty name: -1 ENOENT\na folder for writing: -1 EISDIR\na file as a folder: -1 ENOTDIR\na name of 299 letters: -1 ENAMETOOLONG\naccess: 0\naccess to nothing: -1 ENOENT\nchmod: 0\nb: 0\n  8 bytes, mode 400, regular 1, links 1\nrename: 0\nb: -1 ENOENT\nc: 0\n  8 bytes, mode 400, regular 1, links 1\nrename onto another: 0\na: 'one, two'\nunlink: 0\nunlink again: -1 ENOENT\n0 links, 8 bytes\nit can still be read: 8\nthe test leaves nothing behind: yes\n"
  },
  {
    "name": "directories",
    "category": "test",
    "file": "tests/directories",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "mkdir: 0\nmkdir again: -1 EEXIST\nmkdir below nothing: -1 ENOENT\nmkdir below: 0\none: ../ ./ file link@ two/\n.: ../ ./ one/\nit is a folder: yes\nmode 755\nchdir: 0\nin /one/two\nchdir up: 0\nin /one\nchdir to a file: -1 ENOTDIR\nchdir to nothing: -1 ENOENT\na small buffer for getcwd: -1 ERANGE\nin /\nnothing: -1 ENOENT\nfchdir: 0\nin /one\nread of a folder: -1 EISDIR\nopenat and read: 4\nfstatat: 0\nchdir along dots: 0\nin /one/two\nrmdir of one that is not empty: -1 ENOTEMPTY\nrmdir of a file: -1 ENOTDIR\nunlink of a folder: 0\nrename a folder: 0\n.: ../ ./ one/ three/\nrename into itself: -1 EINVAL\nrename onto one that is not empty: -1 ENOTEMPTY\nrmdir: 0\nrmdir again: -1 ENOENT\nrmdir of .: -1 EINVAL\n152 entries, numbers add up to 11175\ngetdents64 into 3 bytes: -1 EINVAL\nrmdir when it is empty again: 0\nthe test leaves nothing behind: yes\nlisting a file: -1 ENOTDIR\n"
  },
  {
    "name": "links",
    "category": "test",
    "file": "tests/links",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "symlink: 0\nsymlink again: -1 EEXIST\nan empty target: -1 ENOENT\nlink -> 'folder/file'\nfolder/file: -1 EINVAL\nabsent: -1 ENOENT\na short buffer: 3\n'fol'\nlink: 'content'\nstat follows, lstat does not: yes\nthe link has 11 bytes\nO_NOFOLLOW: -1 ELOOP\nshortcut/file: 'content'\nshortcut/back: 'content'\nmkdir through a link: 0\nrmdir: 0\nrmdir of a link: -1 ENOTDIR\na loop: -1 ELOOP\na longer loop: -1 ELOOP\na dangling link: -1 ENOENT\ncreate through it: -1 EEXIST\ncreate through it without O_EXCL: 4\ngone: 'made'\nlink: 0\nlink again: -1 EEXIST\nlink of a folder: -1 EPERM\nboth names are one file: yes\n2 links\nfolder/file: 'changed'\n1 link\nthe symbolic link hangs now: -1 ENOENT\nthe test leaves nothing behind: yes\n"
  },
  {
    "name": "permissions",
    "category": "test",
    "file": "tests/permissions",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "the mask was: 0\na has mode 700\nb has mode 604\nc has mode 750\na child inherits the mask: exited with 0\nand cannot change ours: 23\nchmod: 0\na has mode 755\nfchmod: 0\na has mode 600\nchmod of nothing: -1 ENOENT\nX_OK of a file without x: -1 EACCES\nX_OK of a file with x: 0\nan impossible mode of access: -1 EINVAL\nnew files belong to this process: yes\nthe test leaves nothing behind: yes\n"
  },
  {
    "name": "exec",
    "category": "test",
    "file": "tests/exec",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "  argument 1: 'arguments'\n  argument 2: ''\n  argument 3: 'with blank'\n  argument 4: 'é'\n  variable 0: 'A=1'\n  variable 1: 'EMPTY='\n  variable 2: 'B=two words'\n  the vector ends: 1\narguments and environment: exited with 5\n  argument 1: 'arguments'\n  the vector ends: 1\nno environment: exited with 2\n  a caught signal is default again: 1\n  an ignored signal stays ignored: 1\n  the mask stays: 1\n  the descriptor 10: 0\n  the descriptor 11, closed on execution: -1 EBADF\nstate: exited with 0\n  102 arguments of 100005 bytes\nsize: exited with 0\na file that is not there: -1 ENOENT\na file that is not executable: -1 EACCES\na text: -1 ENOEXEC\na damaged ELF file: -1 ENOEXEC\nan empty file: -1 ENOEXEC\na folder: -1 EACCES\na path through a file: -1 ENOTDIR\na null path: -1 EFAULT\nan empty path: -1 ENOENT\narguments nowhere: -1 EFAULT\nthe test leaves nothing behind: yes\n"
  },
  {
    "name": "proc-self",
    "category": "test",
    "file": "tests/proc-self",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "the link is an absolute path: yes\nit ends with proc-self\nit is a symbolic link: yes\nto a file: yes\nthat begins with ELF: yes\nand that is executing, so writing is refused: -1 ETXTBSY\n  executed through the link as 'again'\nexecution: exited with 0\nAT_PAGESZ: 4096\nAT_PHENT: 56\nAT_PHDR shows segments, and AT_ENTRY is in an executable one: yes\nAT_RANDOM points to sixteen bytes: yes\nAT_EXECFN ends with proc-self\n"
  },
  {
    "name": "devices",
    "category": "test",
    "file": "tests/devices",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "write to /dev/null: 5000\nread from it: 0\nit is a character device: yes\nisatty of it: 0\nan unknown ioctl: -1 ENOTTY\nread from /dev/zero: 5000\nthey add up to 0\nwrite to it: 10\na device that is none: -1 ENOENT\nisatty of a pipe: 0\nisatty of a closed descriptor: 0\nuname: 0\nLinux x86_64\nthe release is a version: yes\n"
  },
  {
    "name": "maps",
    "category": "test",
    "file": "tests/maps",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "a map begins on a page: yes\nfresh memory adds up to 0\na hole: 0\nthe page is gone, its neighbours are not: yes\nunmapping the hole again: 0\nMAP_FIXED fills it: yes\nMAP_FIXED replaces what was there: yes\nunmapping across maps and holes: 0\nall is gone: yes\na hint that is taken does not replace: yes\na size of zero: -1 EINVAL\nneither private nor shared: -1 EINVAL\nfixed, but not on a page: -1 EINVAL\na closed descriptor: -1 EBADF\nmore than the address space: -1 ENOMEM\nmunmap not on a page: -1 EINVAL\nmunmap of nothing: -1 EINVAL\nmunmap of the kernel: -1 EINVAL\na gigabyte of addresses: yes\nits few pages add up to 120\nunmapped: 0\nmremap where there is no room: -1 ENOMEM\nmremap moves: yes\n1 2 3 4 0\nthe old place is free: yes\nmremap shrinks: yes\nmremap grows in place: yes\nmadvise: not needed: 0\n0 9\n'0123456789', then 0\nfile: '0123456789'\noffset in the middle of a page: -1 EINVAL\nafter the file is closed: 'x123456789'\nb c\nthe child sees the same: exited with 0\nand keeps its own: 'bXbb'\nthe test leaves nothing behind: yes\nshared memory holds 1012\n"
  },
  {
    "name": "copy-on-write",
    "category": "test",
    "file": "tests/copy-on-write",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "the parent still has 1 and 2\nand its heap, its map and its data: yes\nthe child has its own: exited with 0\ngenerations add up to 6\nread into a shared page: exited with 0\nthe parent has 'pppppp'\nprotection taken and given back: exited with 0\nwritten after the child is gone: yes\n"
  },
  {
    "name": "protection",
    "category": "test",
    "file": "tests/protection",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "mprotect: 0\na write to a page that can only be read: fault 1 on page 1, code ACCERR, error code 7\nthe next page: fault 2 on page 2, code ACCERR, error code 7\na read where nothing is allowed: fault 3 on page 3, code ACCERR, error code 4\nit holds 1\n2 2 2\n8 faults, sum 34\nno fault where all is allowed: yes\nread-only: a write faults, a read does not: yes\nan unmapped page faults: yes\nits neighbour does not: yes\nthe kernel's half faults: yes\nso does the page below it, which nobody gets: yes\nmprotect of what is not mapped: -1 ENOMEM\nmprotect not on a page: -1 EINVAL\nmprotect over a hole: -1 ENOMEM\nmprotect of nothing: 0\na null pointer: killed by signal 11\na write to the program's text: killed by signal 11\na read of the kernel: killed by signal 11\nan address that is not canonical: killed by signal 11\nexecution of data: killed by signal 11\n"
  },
  {
    "name": "brk",
    "category": "test",
    "file": "tests/brk",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "brk(0) gives the end: yes\nit grows: yes\nnew memory adds up to 0\nit shrinks: yes\nand grows again: yes\nwhat was given back is zero: yes\nan end below the start changes nothing: yes\nan end in the kernel changes nothing: yes\na child has its own end: exited with 0\nthe parent's stayed: yes\nall given back: yes\n"
  },
  {
    "name": "stack",
    "category": "test",
    "file": "tests/stack",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "4 levels: 20\n2000 levels: 250320\none large frame: exited with 6\nwithout end: killed by signal 11\nafterwards: 10100\n"
  },
  {
    "name": "bad-pointers",
    "category": "test",
    "file": "tests/bad-pointers",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "null:\n  write: -1 EFAULT\n  read: -1 EFAULT\n  open: -1 EFAULT\n  stat: -1 EFAULT\n  pipe: -1 EFAULT\n  getcwd: -1 EFAULT\n  readlink: -1 EFAULT\n  uname: -1 EFAULT\n  clock_gettime: -1 EFAULT\n  execve: -1 EFAULT\n  poll: -1 EFAULT\nan unmapped one:\n  write: -1 EFAULT\n  read: -1 EFAULT\n  open: -1 EFAULT\n  stat: -1 EFAULT\n  pipe: -1 EFAULT\n  getcwd: -1 EFAULT\n  readlink: -1 EFAULT\n  uname: -1 EFAULT\n  clock_gettime: -1 EFAULT\n  execve: -1 EFAULT\n  poll: -1 EFAULT\n  rt_sigaction: -1 EFAULT\n  rt_sigprocmask: -1 EFAULT\n  sigaltstack: -1 EFAULT\n  wait4: -1 EFAULT\nthe page that ends user space:\n  write: -1 EFAULT\n  read: -1 EFAULT\n  open: -1 EFAULT\n  stat: -1 EFAULT\n  pipe: -1 EFAULT\n  getcwd: -1 EFAULT\n  readlink: -1 EFAULT\n  uname: -1 EFAULT\n  clock_gettime: -1 EFAULT\n  execve: -1 EFAULT\n  poll: -1 EFAULT\n  rt_sigaction: -1 EFAULT\n  rt_sigprocmask: -1 EFAULT\n  sigaltstack: -1 EFAULT\n  wait4: -1 EFAULT\none that is not canonical:\n  write: -1 EFAULT\n  read: -1 EFAULT\n  open: -1 EFAULT\n  stat: -1 EFAULT\n  pipe: -1 EFAULT\n  getcwd: -1 EFAULT\n  readlink: -1 EFAULT\n  uname: -1 EFAULT\n  clock_gettime: -1 EFAULT\n  execve: -1 EFAULT\n  poll: -1 EFAULT\n  rt_sigaction: -1 EFAULT\n  rt_sigprocmask: -1 EFAULT\n  sigaltstack: -1 EFAULT\n  wait4: -1 EFAULT\nthe kernel's:\n  write: -1 EFAULT\n  read: -1 EFAULT\n  open: -1 EFAULT\n  stat: -1 EFAULT\n  pipe: -1 EFAULT\n  getcwd: -1 EFAULT\n  readlink: -1 EFAULT\n  uname: -1 EFAULT\n  clock_gettime: -1 EFAULT\n  execve: -1 EFAULT\n  poll: -1 EFAULT\n  rt_sigaction: -1 EFAULT\n  rt_sigprocmask: -1 EFAULT\n  sigaltstack: -1 EFAULT\n  wait4: -1 EFAULT\nthe last of all:\n  write: -1 EFAULT\n  read: -1 EFAULT\n  open: -1 EFAULT\n  stat: -1 EFAULT\n  pipe: -1 EFAULT\n  getcwd: -1 EFAULT\n  readlink: -1 EFAULT\n  uname: -1 EFAULT\n  clock_gettime: -1 EFAULT\n  execve: -1 EFAULT\n  poll: -1 EFAULT\n  rt_sigaction: -1 EFAULT\n  rt_sigprocmask: -1 EFAULT\n  sigaltstack: -1 EFAULT\n  wait4: -1 EFAULT\na path that runs into nothing: -1 EFAULT\nthe bytes in the pipe are still there: 10\n'0123456789'\na write that runs into nothing writes at most what is there: yes\nfstat into a page that can only be read: -1 EFAULT\n"
  },
  {
    "name": "unknown-calls",
    "category": "test",
    "file": "tests/unknown-calls",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "call 350: -1 ENOSYS\ncall 400: -1 ENOSYS\ncall 600: -1 ENOSYS\ncall 999: -1 ENOSYS\ncall 4095: -1 ENOSYS\ncall 65536: -1 ENOSYS\ncall 2147483647: -1 ENOSYS\ncall -1: -1 ENOSYS\ncall -2: -1 ENOSYS\ncall 1073741863: -1 ENOSYS\ncall 4294972296: -1 ENOSYS\n"
  },
  {
    "name": "signals",
    "category": "test",
    "file": "tests/signals",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "signal gives the old handler: yes\n2 signals, the last 10\nsigaction gives the old action: yes\n3 signals, the last 12 with code 0\nit tells who sent it: yes\nblock: 0\nnothing was blocked before: yes\n0 came\nboth are pending: yes\na child inherits the mask, not the pending ones: exited with 0\n1 came, the last 10\nSIGKILL and SIGSTOP are never blocked: yes\n2 came, the last 12\nsigsuspend: -1 EINTR\none came, and the mask is back: yes\nsigsuspend: -1 EINTR\n1 came\nthe child: exited with 0\nSA_RESETHAND: killed by signal 10\nignored ones: exited with 5\ndefault of 1: killed by signal 1\ndefault of 2: killed by signal 2\ndefault of 3: killed by signal 3\ndefault of 4: killed by signal 4\ndefault of 5: killed by signal 5\ndefault of 6: killed by signal 6\ndefault of 7: killed by signal 7\ndefault of 8: killed by signal 8\ndefault of 9: killed by signal 9\ndefault of 10: killed by signal 10\ndefault of 11: killed by signal 11\ndefault of 13: killed by signal 13\ndefault of 14: killed by signal 14\ndefault of 15: killed by signal 15\ndefault of 29: killed by signal 29\ndefault of 31: killed by signal 31\na handler for SIGKILL: -1 EINVAL\na handler for SIGSTOP: -1 EINVAL\na handler for signal 0: -1 EINVAL\na handler for signal 65: -1 EINVAL\na wrong way of masking: -1 EINVAL\nwait with SIGCHLD ignored: -1 ECHILD\nthe child: exited with 3\nSIGCHLD came 1 time, code 1\n"
  },
  {
    "name": "nested-signals",
    "category": "test",
    "file": "tests/nested-signals",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "each interrupts the one before: 10 12 15 -15 -12 -10, depth 3\ninside the third all three are blocked: yes\nthe first blocks the others: 10 -10 12 15 -15 -12, depth 2\nSA_NODEFER: 5 4 3 2 1, depth 5\nwithout it: 4 4 4 4 4, depth 4\n5 steps, depth 1\n1 handler, 0 registers changed\n"
  },
  {
    "name": "faults",
    "category": "test",
    "file": "tests/faults",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "divide by zero: signal 8, code 1, exception 0, the address is the instruction's: 1\n  without handler: killed by signal 8\ndivide overflow: signal 8, code 1, exception 0, the address is the instruction's: 1\n  without handler: killed by signal 8\nundefined instruction: signal 4, code 2, exception 6, the address is the instruction's: 1\n  without handler: killed by signal 4\nhlt: signal 11, code 128, exception 13\n  without handler: killed by signal 11\nin: signal 11, code 128, exception 13\n  without handler: killed by signal 11\ncli: signal 11, code 128, exception 13\n  without handler: killed by signal 11\nmov from cr3: signal 11, code 128, exception 13\n  without handler: killed by signal 11\nrdmsr: signal 11, code 128, exception 13\n  without handler: killed by signal 11\nsingle step: signal 5, code 2, exception 1\n  without handler: killed by signal 5\nbreakpoint: signal 5, code 128, exception 3\n  without handler: killed by signal 5\nint 0xf0: signal 11, code 128, exception 13\n  without handler: killed by signal 11\nnon-canonical address: signal 11, code 128, exception 13, address 0\n  without handler: killed by signal 11\njump to 0x10: signal 11, code 1, exception 14, address 0x10\n  without handler: killed by signal 11\nnull pointer: signal 11, code 1, exception 14, address 0\n  without handler: killed by signal 11\nSIGSEGV blocked: killed by signal 11\nSIGFPE ignored: killed by signal 8\n"
  },
  {
    "name": "signal-context",
    "category": "test",
    "file": "tests/signal-context",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "doubled 42, counted 6, carry 1\nthe mask is what the handler left: yes\nprivilege is not to be had: exited with 0\nnor the kernel's text: killed by signal 11\nnor an address that is none: killed by signal 11\na frame of garbage: killed by signal 11\nthe program goes on elsewhere\n"
  },
  {
    "name": "alternate-stack",
    "category": "test",
    "file": "tests/alternate-stack",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "sigaltstack: 0\nthere was none: yes\nthe handler ran on it: yes\nflags inside: 1\nit cannot be changed from inside: yes\nflags outside: yes\nwithout SA_ONSTACK the handler runs on the ordinary stack: yes\nthe overflow was handled on the other stack: yes\nthe overflow was handled on the other stack: yes\nthe overflow was handled on the other stack: yes\na child has the same: exited with 0\ntoo small: -1 ENOMEM\nwith a wrong flag: -1 EINVAL\nnone: 0\noverflow without it: killed by signal 11\n"
  },
  {
    "name": "alarms",
    "category": "test",
    "file": "tests/alarms",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "alarm: 0\nalarm gives what was left: yes\nalarm when there is none: 0\npause: -1 EINTR\nread without SA_RESTART: -1 EINTR\nread with SA_RESTART: 1\nit got w\nwait without SA_RESTART: -1 EINTR\nthe child: exited with 0\nnanosleep: -1 EINTR\nnanosleep tells what is left: yes\nfive ticks of 2 ms take 9 ms or more: yes\nthe timer tells its interval: yes\nalarm without handler: killed by signal 14\na loop without system calls: exited with 1\na child has no alarm: exited with 0\nsetitimer of a wrong timer: -1 EINVAL\nnanosleep of a wrong time: -1 EINVAL\n"
  },
  {
    "name": "clocks",
    "category": "test",
    "file": "tests/clocks",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "the monotonic clock went back 0 times\nand moved: yes\nnanoseconds are below a second: yes\nthe year is 2001 or later: yes\ntime, gettimeofday and clock_gettime agree: yes\na sleep of 0 us: not too short, and all clocks saw it: yes\na sleep of 100 us: not too short, and all clocks saw it: yes\na sleep of 1000 us: not too short, and all clocks saw it: yes\na sleep of 15000 us: not too short, and all clocks saw it: yes\nan unknown clock: -1 EINVAL\nthe time-stamp counter goes forward: yes\n"
  },
  {
    "name": "registers",
    "category": "test",
    "file": "tests/registers",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "getppid: yes\ngetppid: rbx 1001 rdx 1003 rsi 1004 rdi 1005 rbp 1006 r8 1008 r9 1009 r10 100a r12 100c r13 100d r14 100e r15 100f\n  flags 0x202\nrcx is the address after SYSCALL: yes\nr11 is the flags: 0x202\nwith all flags set: rbx 1001 rdx 1003 rsi 1004 rdi 1005 rbp 1006 r8 1008 r9 1009 r10 100a r12 100c r13 100d r14 100e r15 100f\n  flags 0xed7\nr11 is the flags: 0xed7\na call that is none: rbx 1001 rdx 1003 rsi 1004 rdi 1005 rbp 1006 r8 1008 r9 1009 r10 100a r12 100c r13 100d r14 100e r15 100f\n  flags 0x202\nrax -38\nclose of a wrong descriptor: rbx 1001 rdx 1003 rsi 1004 rdi 1005 rbp 1006 r8 1008 r9 1009 r10 100a r12 100c r13 100d r14 100e r15 100f\n  flags 0x202\nrax -9\nprivilege level 3, stack 3\n"
  },
  {
    "name": "sse-context",
    "category": "test",
    "file": "tests/sse-context",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "a process that spins, with registers changed: exited with 0\na process that spins, with registers changed: exited with 0\na process that spins, with registers changed: exited with 0\nhandlers changed 0 bytes\na child inherits MXCSR: exited with 0\nMXCSR 0x1f80\n0.20000000000000000\n"
  },
  {
    "name": "x87",
    "category": "test",
    "file": "tests/x87",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "control word 0x37f\n1/3: 3ffdaaaaaaaaaaaaaaab\n1/3*3: 3fff8000000000000000\n1e300 squared: 47c88eb39714297efb28\na tiny one: 306ccdf829eaaf012977\nsqrt(2): 3fffb504f333f9de6484\n-7 mod 3: bfff8000000000000000\nto integers: 333333333333333333 -2 100000\nfrom integers: -123456.789 1099511627776.0\ncompare: 1 0 1\npi + log2(10): 4001ced52976f742269a\n-|1 - log10(2)|: bffeb2efb2bd82180434\n1 scaled by pi: 40028000000000000000\nmode 0 rounds 2.5 to 2\nmode 1 rounds 2.5 to 2\nmode 2 rounds 2.5 to 3\nmode 3 rounds 2.5 to 2\n1/0 sets 0x24\n0/0 sets 0x1\nin a child: exited with 0\n0 changed\n"
  },
  {
    "name": "self-modifying",
    "category": "test",
    "file": "tests/self-modifying",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "with mprotect between: 285\nwritable and executable: 499500\nacross two pages: 324408150\na loop that changes itself: 401\nthe very next instruction: 424242\nthe child's code gives: exited with 22\nthe parent's gives 11\na new map gives 33\nthe other process: exited with 0\nit has seen 14850\n"
  },
  {
    "name": "preemption",
    "category": "test",
    "file": "tests/preemption",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "a counting process: exited with 0\na counting process: exited with 0\na counting process: exited with 0\nthe other: exited with 0\ntwenty turns each give 731231688012595\nkilled while it spins: killed by signal 9\n"
  },
  {
    "name": "segment-bases",
    "category": "test",
    "file": "tests/segment-bases",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "set FS: 0\nset GS: 0\n12 22\nget FS: yes\nget GS: yes\n12 22\na child has its own: exited with 0\nin a handler: 12 22\na base in the kernel: -1 EPERM\nan unknown request: -1 EINVAL\na new program starts with FS at 0\nexecution: exited with 0\n"
  },
  {
    "name": "groups",
    "category": "test",
    "file": "tests/groups",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "leader of its group: yes\na session of its own: yes\nonce more: -1 EPERM\na leader cannot change its group: -1 EPERM\nthe child: exited with 0\nthey are in it: yes\nWNOHANG for our group: -1 ECHILD\nWNOHANG for theirs: 0\na signal for their group: 0\n3 ended, 0 came here\na group that is gone: -1 ESRCH\ngetpgid of nobody: -1 ESRCH\nkill(0): 0\n1 came here\nand there: killed by signal 15\nsetpgid of nobody: -1 ESRCH\na negative group: -1 EINVAL\n"
  },
  {
    "name": "stopping",
    "category": "test",
    "file": "tests/stopping",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "the parent hears of the stop: yes\nonly once: 0\na stopped process does nothing: -1 EAGAIN\nanother signal waits: 0\nWNOHANG: 0\nSIGKILL does not: 0\nthe child: killed by signal 9\nstopped by 19\ncontinued with handler: c\nthe child: exited with 4\n"
  },
  {
    "name": "libc",
    "category": "test",
    "file": "tests/libc",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "[42] [   42] [42   ] [00042] [+42] [ 42] [042]\n[-2147483648] [-9223372036854775808] [4294967295] [18446744073709551615]\n[beef] [BEEF] [0xbeef] [0000beef] [10] [010]\n[-1] [-2] [255] [c] [%]\n[text] [     right] [left      ] [cu] [   sta]\n[3.141593] [3] [-0.001] [ 1000.00] [10.0    ] [-0001.50] [+0.0]\n[-0.169075164] [1.0]\n[0x1234] [(null)]\n9 characters were wanted, 'truncat' fitted\n'42' is 42, rest '', 0\n' -17x' is -17, rest 'x', 0\n'0x1f' is 31, rest '', 0\n'017' is 15, rest '', 0\n'99999999999999999999' is 9223372036854775807, rest '', ERANGE\n'-9223372036854775808' is -9223372036854775808, rest '', 0\n'none' is 0, rest 'none', 0\n'' is 0, rest '', 0\n0120123456789abcdefghijklmnopqrstxyz\n23456789abcdefghijklmnopqrstxyzstxyz\n23---------------------pqrstxyzstxyz\n1 1 0 0\n/to/file /file needle 1\n1 1\n0 pieces of memory were wrong\nmore than there is is refused: yes\ncalloc gives 0\nqsort sorts: yes\nbsearch finds: yes\nlongjmp brought 7\nthe environment says two\nNo such file or directory; Broken pipe\nthis one was registered second\natexit functions run last first\n"
  },
  {
    "name": "static-pie",
    "category": "test",
    "file": "tests/static-pie",
    "args": [],
    "env": [],
    "statuses": [
      0
    ],
    "output": "first gives 1\nsecond gives 2\nthe image begins with ELF: 1\nit was moved away from 0: 1\nit begins on a page: 1\n"
  },
  {
    "name": "null-call",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "null-call",
      "20000"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 6fc20dbdd48602d2\n"
  },
  {
    "name": "fork-wait",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "fork-wait",
      "100"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 4dda2aa3860f3482\n"
  },
  {
    "name": "fork-exec",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "fork-exec",
      "50"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum beaf517202eecefa\n"
  },
  {
    "name": "pipe-latency",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "pipe-latency",
      "2000"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 6958cbb0fb36b7af\n"
  },
  {
    "name": "context-switch",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "context-switch",
      "4000"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum d0d45d7558075191\n"
  },
  {
    "name": "mmap",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "mmap",
      "2000"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 9f1cceb36e3589ce\n"
  },
  {
    "name": "page-fault",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "page-fault",
      "2000"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 21b99e0c32335b92\n"
  },
  {
    "name": "signal",
    "category": "micro-benchmark",
    "file": "bin/bench",
    "args": [
      "signal",
      "4000"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 63efd5cf1e9b60b2\n"
  },
  {
    "name": "integer-mix",
    "category": "compute-benchmark",
    "file": "bin/bench",
    "args": [
      "integer-mix",
      "100"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 90a88d6e1c4536ce\n"
  },
  {
    "name": "sieve",
    "category": "compute-benchmark",
    "file": "bin/bench",
    "args": [
      "sieve",
      "30"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 3afd76f125d40b73\n"
  },
  {
    "name": "sha256",
    "category": "compute-benchmark",
    "file": "bin/bench",
    "args": [
      "sha256",
      "70"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 52afb4f1977ec2d9\n"
  },
  {
    "name": "nbody",
    "category": "compute-benchmark",
    "file": "bin/bench",
    "args": [
      "nbody",
      "5000"
    ],
    "env": [],
    "statuses": [
      0
    ],
    "output": "checksum 384d9ee1320b3ac7\n"
  },
  {
    "name": "fork-bomb",
    "category": "hostile",
    "file": "hostile/fork-bomb",
    "args": [],
    "env": [],
    "statuses": [
      137
    ]
  },
  {
    "name": "fork-bomb-forever",
    "category": "hostile",
    "file": "hostile/fork-bomb",
    "args": [
      "forever"
    ],
    "env": [],
    "statuses": []
  },
  {
    "name": "zombies",
    "category": "hostile",
    "file": "hostile/zombies",
    "args": [],
    "env": [],
    "statuses": [
      0
    ]
  },
  {
    "name": "memory-eater-map",
    "category": "hostile",
    "file": "hostile/memory-eater",
    "args": [
      "map"
    ],
    "env": [],
    "statuses": [
      3,
      137
    ]
  },
  {
    "name": "memory-eater-brk",
    "category": "hostile",
    "file": "hostile/memory-eater",
    "args": [
      "brk"
    ],
    "env": [],
    "statuses": [
      3,
      137
    ]
  },
  {
    "name": "memory-eater-sparse",
    "category": "hostile",
    "file": "hostile/memory-eater",
    "args": [
      "sparse"
    ],
    "env": [],
    "statuses": [
      0,
      3,
      137
    ]
  },
  {
    "name": "wild-jumper",
    "category": "hostile",
    "file": "hostile/wild-jumper",
    "args": [
      "200"
    ],
    "env": [],
    "statuses": [
      0
    ]
  },
  {
    "name": "fault-loop",
    "category": "hostile",
    "file": "hostile/fault-loop",
    "args": [
      "1000"
    ],
    "env": [],
    "statuses": [
      0
    ]
  },
  {
    "name": "fault-loop",
    "category": "hostile",
    "file": "hostile/fault-loop",
    "args": [],
    "env": [],
    "statuses": []
  },
  {
    "name": "stack-overflow",
    "category": "hostile",
    "file": "hostile/stack-overflow",
    "args": [],
    "env": [],
    "statuses": [
      139
    ]
  },
  {
    "name": "signal-storm",
    "category": "hostile",
    "file": "hostile/signal-storm",
    "args": [],
    "env": [],
    "statuses": [
      139
    ]
  },
  {
    "name": "open-all",
    "category": "hostile",
    "file": "hostile/open-all",
    "args": [],
    "env": [],
    "statuses": [
      0
    ]
  },
  {
    "name": "pipe-filler",
    "category": "hostile",
    "file": "hostile/pipe-filler",
    "args": [],
    "env": [],
    "statuses": [
      0
    ]
  },
  {
    "name": "huge-argv",
    "category": "hostile",
    "file": "hostile/huge-argv",
    "args": [],
    "env": [],
    "statuses": [
      0
    ]
  },
  {
    "name": "bad-elf",
    "category": "hostile",
    "file": "hostile/bad-elf",
    "args": [
      "100"
    ],
    "env": [],
    "statuses": [
      0
    ]
  },
  {
    "name": "kill-all",
    "category": "hostile",
    "file": "hostile/kill-all",
    "args": [],
    "env": [
      "RINGSIDE_GUEST=1"
    ],
    "statuses": [
      5,
      137
    ]
  },
  {
    "name": "unmap-all",
    "category": "hostile",
    "file": "hostile/unmap-all",
    "args": [],
    "env": [],
    "statuses": [
      139
    ]
  },
  {
    "name": "random-calls",
    "category": "hostile",
    "file": "hostile/random-calls",
    "args": [
      "50"
    ],
    "env": [
      "RINGSIDE_GUEST=1"
    ],
    "statuses": [
      0
    ]
  }
];
