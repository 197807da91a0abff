/*
 * Executes single instructions and short programs on the processor it runs on, and says what they did.
 *
 * A child process is traced. For each request on standard input its registers, x87 and SSE state, code and data are set,
 * one instruction is stepped, or the code runs until the INT3 that follows it, and the state is read back to standard
 * output. All integers are little-endian. The memory
 * that instructions see is shared with the child and lies at fixed addresses, which format.ts in packages/isa/src/vectors
 * gives too.
 *
 * Linux on x86-64 only: gcc -O2 -o harness harness.c
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CODE_ADDRESS 0x20000000u
#define CODE_BYTES 0x1000u
#define CODE_OFFSET 0x800u
#define DATA_ADDRESS 0x20010000u
#define DATA_BYTES 0x2000u
#define READ_ONLY_ADDRESS 0x20013000u
#define READ_ONLY_BYTES 0x1000u

struct request {
  uint8_t code_bits; /* 64 or 32 */
  uint8_t runs; /* 0: one step. 1: until a signal, with INT3 wherever the page holds no code. */
  uint16_t code_bytes;
  uint32_t overlays;
  uint64_t registers[16]; /* In the order of their encoding. */
  uint64_t flags;
  uint8_t fxsave[512];
  /* Followed by the code, and by so many struct patch as there are overlays, each with its bytes. */
};

struct patch {
  uint32_t address;
  uint32_t bytes;
};

struct response {
  int32_t signal;
  int32_t code;
  uint64_t address; /* si_addr */
  uint64_t registers[16];
  uint64_t rip;
  uint64_t flags;
  uint8_t fxsave[512];
  uint32_t changes; /* Followed by so many struct patch, each with its bytes. */
  uint32_t unused;
};

static uint8_t initial[DATA_BYTES];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void *map(uint32_t address, uint32_t bytes, int protection) {
  void *at = mmap((void *)(uintptr_t)address, bytes, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == MAP_FAILED) fail("mmap");
  return at;
}

/* What memory holds where a request does not say otherwise. */
static uint8_t pattern(uint32_t address) { return (address * 2654435761u) >> 24; }

static void read_exactly(void *into, size_t bytes) {
  if (fread(into, 1, bytes, stdin) != bytes) fail("read");
}

static void write_exactly(const void *from, size_t bytes) {
  if (fwrite(from, 1, bytes, stdout) != bytes) fail("write");
}

static pid_t start_child(struct user_regs_struct *registers) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    _exit(1);
  }
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) fail("wait for the child");
  if (ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_EXITKILL) != 0) fail("ptrace");
  if (ptrace(PTRACE_GETREGS, child, 0, registers) != 0) fail("ptrace");
  return child;
}

static void set_state(pid_t child, const struct user_regs_struct *base, const struct request *request) {
  struct user_regs_struct regs = *base;
  const uint64_t *r = request->registers;
  regs.rax = r[0], regs.rcx = r[1], regs.rdx = r[2], regs.rbx = r[3];
  regs.rsp = r[4], regs.rbp = r[5], regs.rsi = r[6], regs.rdi = r[7];
  regs.r8 = r[8], regs.r9 = r[9], regs.r10 = r[10], regs.r11 = r[11];
  regs.r12 = r[12], regs.r13 = r[13], regs.r14 = r[14], regs.r15 = r[15];
  regs.rip = CODE_ADDRESS + CODE_OFFSET;
  regs.eflags = request->flags;
  regs.orig_rax = -1;
  regs.fs_base = DATA_ADDRESS;
  regs.gs_base = DATA_ADDRESS + 0x800;
  if (request->code_bits == 32) {
    regs.cs = 0x23;
    regs.ds = regs.es = regs.ss = 0x2b;
  } else {
    regs.cs = 0x33;
    regs.ss = 0x2b;
    regs.ds = regs.es = 0;
  }
  if (ptrace(PTRACE_SETREGS, child, 0, &regs) != 0) fail("set registers");
  struct user_fpregs_struct fpu;
  memcpy(&fpu, request->fxsave, sizeof fpu);
  if (ptrace(PTRACE_SETFPREGS, child, 0, &fpu) != 0) fail("set x87 and SSE registers");
}

static void get_state(pid_t child, struct response *response) {
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, child, 0, &regs) != 0) fail("get registers");
  const uint64_t in_order[16] = {regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi,
                                 regs.r8,  regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15};
  memcpy(response->registers, in_order, sizeof in_order);
  response->rip = regs.rip;
  response->flags = regs.eflags;
  struct user_fpregs_struct fpu;
  if (ptrace(PTRACE_GETFPREGS, child, 0, &fpu) != 0) fail("get x87 and SSE registers");
  memcpy(response->fxsave, &fpu, sizeof fpu);
  siginfo_t info;
  if (ptrace(PTRACE_GETSIGINFO, child, 0, &info) != 0) fail("get signal");
  response->signal = info.si_signo;
  response->code = info.si_code;
  response->address = (uint64_t)(uintptr_t)info.si_addr;
}

/* Calls back for each run of changed bytes; gaps below four bytes join runs. */
static uint32_t for_each_change(const uint8_t *data, void (*emit)(uint32_t, uint32_t)) {
  uint32_t count = 0;
  for (uint32_t at = 0; at < DATA_BYTES;) {
    if (data[at] == initial[at]) {
      at++;
      continue;
    }
    uint32_t end = at + 1;
    for (uint32_t look = end; look < DATA_BYTES && look < end + 4; look++)
      if (data[look] != initial[look]) end = look + 1;
    if (emit) emit(at, end - at);
    count++;
    at = end;
  }
  return count;
}

static void write_change(uint32_t offset, uint32_t bytes) {
  struct patch patch = {DATA_ADDRESS + offset, bytes};
  write_exactly(&patch, sizeof patch);
  write_exactly((const uint8_t *)(uintptr_t)DATA_ADDRESS + offset, bytes);
}

static void apply_overlays(uint32_t count, uint8_t *data) {
  for (uint32_t index = 0; index < count; index++) {
    struct patch patch;
    read_exactly(&patch, sizeof patch);
    if (patch.address < DATA_ADDRESS || patch.bytes > DATA_BYTES ||
        patch.address - DATA_ADDRESS > DATA_BYTES - patch.bytes) {
      fprintf(stderr, "An overlay of %u bytes at %#x is not in the data area.\n", patch.bytes, patch.address);
      exit(1);
    }
    read_exactly(data + (patch.address - DATA_ADDRESS), patch.bytes);
  }
}

/* Says which processor this is: vendor and brand, then leaf 1 and leaf 7 as hexadecimal. */
static void identify(void) {
  unsigned a, b, c, d, brand[12];
  __cpuid(0, a, b, c, d);
  printf("vendor %.4s%.4s%.4s\n", (char *)&b, (char *)&d, (char *)&c);
  for (unsigned leaf = 0; leaf < 3; leaf++)
    __cpuid(0x80000002 + leaf, brand[leaf * 4], brand[leaf * 4 + 1], brand[leaf * 4 + 2], brand[leaf * 4 + 3]);
  printf("brand %.48s\n", (char *)brand);
  __cpuid(1, a, b, c, d);
  printf("leaf1 eax=%08x ecx=%08x edx=%08x\n", a, c, d);
  __cpuid_count(7, 0, a, b, c, d);
  printf("leaf7 ebx=%08x ecx=%08x edx=%08x\n", b, c, d);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--identify") == 0) {
    identify();
    return 0;
  }
  uint8_t *code = map(CODE_ADDRESS, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
  uint8_t *data = map(DATA_ADDRESS, DATA_BYTES, PROT_READ | PROT_WRITE);
  uint8_t *read_only = map(READ_ONLY_ADDRESS, READ_ONLY_BYTES, PROT_READ | PROT_WRITE);
  for (uint32_t at = 0; at < READ_ONLY_BYTES; at++) read_only[at] = pattern(READ_ONLY_ADDRESS + at);
  if (mprotect(read_only, READ_ONLY_BYTES, PROT_READ) != 0) fail("mprotect");

  struct user_regs_struct base;
  pid_t child = start_child(&base);
  struct request request;
  while (fread(&request, sizeof request, 1, stdin) == 1) {
    memset(code, request.runs ? 0xcc : 0x90, CODE_BYTES);
    if (request.code_bytes > CODE_BYTES - CODE_OFFSET) {
      fprintf(stderr, "%u bytes of code do not fit into the page.\n", request.code_bytes);
      return 1;
    }
    read_exactly(code + CODE_OFFSET, request.code_bytes);
    for (uint32_t at = 0; at < DATA_BYTES; at++) data[at] = pattern(DATA_ADDRESS + at);
    apply_overlays(request.overlays, data);
    memcpy(initial, data, DATA_BYTES);
    set_state(child, &base, &request);
    if (ptrace(request.runs ? PTRACE_CONT : PTRACE_SINGLESTEP, child, 0, 0) != 0) fail("resume");
    int status;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
      fprintf(stderr, "The child ended, status %#x.\n", status);
      return 1;
    }
    struct response response = {0};
    get_state(child, &response);
    response.changes = for_each_change(data, NULL);
    write_exactly(&response, sizeof response);
    for_each_change(data, write_change);
    fflush(stdout);
  }
  kill(child, SIGKILL);
  return 0;
}
