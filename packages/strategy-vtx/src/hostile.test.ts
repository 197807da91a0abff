/** Guests that try to get out, or to break the hypervisor: nothing outside their frames changes, and the host lives. */
import { countFaults, flatKernel, powerOff } from "@ringside/hypervisor/testing";
import { Host, type Exit, type Guest, type Strategy } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { vtx, vtxShadow } from "./index.ts";

const memoryBytes = 4 << 20;
const hostBytes = 8 << 20;
const strategies = [vtx, vtxShadow];
/** What frames of the host hold that nobody has been given. */
const canary = 0xc5;

const assembled = (source: string): Guest => flatKernel(source, memoryBytes);

function run(
  strategy: Strategy,
  guest: Guest,
  limitUnits = 1_000_000,
): { readonly exit: Exit; readonly host: Host } {
  const host = Host.create({ memoryBytes: hostBytes });
  host.memory.physical.fill(0, canary, hostBytes);
  using machine = strategy.create(host, guest);
  machine.input.end();
  return { exit: machine.run(limitUnits), host };
}

/** Frames of the host that still hold nothing but canaries. */
function untouchedFrames({ memory: { physical } }: Host): number {
  let frames = 0;
  for (let at = 0; at < hostBytes; at += 4096)
    if (physical.read(at, 4096).every((byte) => byte === canary)) frames += 1;
  return frames;
}

describe.each(strategies)(
  "a guest of $id that reaches for memory that is not its own",
  (strategy) => {
    const pattern = 0x5a17_c3e9_0dd5_ba5en;

    test("writes to no frame but its own", () => {
      // All of its RAM above 3 MiB, then a word in each 4 KiB up to 64 MiB and in each 2 MiB up to 4 GiB.
      const { exit, host } = run(
        strategy,
        assembled(`
        mov rax, 0x5a17c3e90dd5ba5e
        mov rdi, 0x380000
        mov ecx, ${(memoryBytes - 0x38_0000) / 8}
        rep stosq
        mov rdi, ${memoryBytes}
      beyond:
        mov [rdi], rax
        add rdi, 0x1000
        cmp rdi, 0x1000000
        jb beyond
      distant:
        mov [rdi], rax
        add rdi, 0x200000
        mov rdx, 0x100000000
        cmp rdi, rdx
        jb distant
        xor eax, eax
        ${powerOff}
      `),
      );
      expect(exit).toEqual({ reason: "halted", value: 0 });
      const { physical } = host.memory;
      let words = 0;
      for (let at = 0; at < physical.sizeBytes; at += 8) {
        if (physical.readU64(at) === pattern) words += 1;
      }
      // Exactly those of its RAM, and none in tables, control structures or free memory.
      expect(words).toBe((memoryBytes - 0x38_0000) / 8);
    });

    test("reads nothing but ones where it has no RAM, and leaves every other frame as it was", () => {
      // RAX gathers what all words from the end of its RAM to 64 MiB have in common.
      const { exit, host } = run(
        strategy,
        assembled(`
        mov rax, -1
        mov rdi, ${memoryBytes}
      again:
        and rax, [rdi]
        mov [rdi + 8], rdi
        add rdi, 0x1000
        cmp rdi, 0x4000000
        jb again
        inc rax
        ${powerOff}
      `),
        10_000_000,
      );
      expect(exit).toEqual({ reason: "halted", value: 0 });
      // The guest itself, and tables of the hypervisor.
      expect(untouchedFrames(host)).toBeGreaterThan(hostBytes / 4096 - 300);
    });

    test("finds nothing behind page tables that point to the host's frames", () => {
      // Frame numbers of the host, as a guest that knows the host would write them: 2 MiB pages over all of 1 GiB.
      const { exit, host } = run(
        strategy,
        assembled(`
        mov rdi, 0x300000
        mov rax, 0x301007
        mov [rdi], rax
        mov rdi, 0x301000
        mov rax, 0x87
        mov ecx, 512
        mov rdx, 0x302007
        mov [rdi], rdx
        mov rdi, 0x302000
      fill:
        mov [rdi], rax
        add rax, 0x200000
        add rdi, 8
        loop fill
        mov rax, 0x300000
        mov cr3, rax
        mov rdi, ${memoryBytes}
        mov rax, 0x5a17c3e90dd5ba5e
      write:
        mov [rdi], rax
        add rdi, 0x1000
        cmp rdi, 0x2000000
        jb write
        xor eax, eax
        ${powerOff}
      `),
        10_000_000,
      );
      expect(exit).toEqual({ reason: "halted", value: 0 });
      expect(untouchedFrames(host)).toBeGreaterThan(hostBytes / 4096 - 300);
    });

    test("gives a guest that writes over its own page tables a fault, and the host nothing", () => {
      const { exit, host } = run(
        strategy,
        assembled(`
        mov rdi, cr3
        mov rax, 0x5a17c3e90dd5ba5e
        mov ecx, 512
        rep stosq
        mov rax, cr3
        mov cr3, rax
        nop
      `),
      );
      expect(exit.reason).toBe("crashed");
      expect(untouchedFrames(host)).toBeGreaterThan(hostBytes / 4096 - 300);
    });
  },
);

describe.each(strategies)("a guest of $id that misuses the architecture", (strategy) => {
  test("gets #GP for model-specific registers that its processor does not have", () => {
    const { exit } = run(
      strategy,
      assembled(`
        ${countFaults}
        mov ebx, 2
        mov ecx, 0x3a
        rdmsr
        mov ecx, 0x480
        rdmsr
        mov ecx, 0x12345678
        rdmsr
        xor eax, eax
        xor edx, edx
        wrmsr
        mov eax, ebp
        ${powerOff}
      `),
    );
    expect(exit).toEqual({ reason: "halted", value: 4 });
  });

  // The conformance suite has these two as well, and lets a strategy choose how they end: VT-x cannot go on.
  test("crashes alone with its stack in device memory when an exception comes", () => {
    const { exit } = run(strategy, assembled(`${countFaults}\n mov rsp, 0xfee00800\n ud2`));
    expect(exit.reason).toBe("crashed");
  });

  test("crashes alone when it executes device memory", () => {
    const { exit } = run(strategy, assembled("mov rax, 0xfee00000\n jmp rax"));
    expect(exit.reason).toBe("crashed");
  });
});

describe.each(strategies)("a guest of $id that floods its hypervisor", (strategy) => {
  test.each([0x1234_5678, 0x9abc_def1])(
    "with exits of garbage ends or spends its limit, and the host lives (seed %i)",
    (seed) => {
      // Ports, registers and leaves out of a generator; every fault goes on behind the instruction.
      const { exit, host } = run(
        strategy,
        assembled(`
          ${countFaults}
          mov r8d, ${seed}
        again:
          imul r8d, r8d, 1664525
          add r8d, 1013904223
          mov eax, r8d
          mov edx, r8d
          shr edx, 16
          mov r9d, r8d
          shr r9d, 29
          mov ebx, 1
          cmp dx, 0xf4
          je again
          cmp dx, 0x604
          je again
          cmp r9d, 0
          je input
          cmp r9d, 1
          je output
          mov ebx, 2
          mov ecx, r8d
          cmp r9d, 2
          je identify
          cmp r9d, 3
          je read
          cmp r9d, 4
          je write
          mov ebx, 3
          movzx eax, al
          cmp r9d, 5
          je priority
          mov eax, r8d
          mov rdi, 0xfee00000
          and eax, 0xff0
          mov ebx, 6
          cmp eax, 0x300
          je again
          mov [rdi + rax], r8d
          jmp again
        input:
          in al, dx
          jmp again
        output:
          out dx, ax
          jmp again
        identify:
          cpuid
          jmp again
        read:
          rdmsr
          jmp again
        write:
          cmp ecx, 0xc0000080
          je again
          wrmsr
          jmp again
        priority:
          db 0x44, 0x0f, 0x22, 0xc0
          jmp again
        `),
        500_000,
      );
      expect(exit).toEqual({ reason: "limit" });
      expect(untouchedFrames(host)).toBeGreaterThan(hostBytes / 4096 - 300);
    },
  );
});
