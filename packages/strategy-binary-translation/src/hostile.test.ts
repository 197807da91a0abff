/** Guests that try to get out, or to break the translator: nothing outside their frames changes, and the host lives. */
import { countFaults, flatKernel, powerOff } from "@ringside/hypervisor/testing";
import { Host, type Exit } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { hostBytesFor } from "./binary-translation-machine.ts";
import { defaultRegionBase } from "./cache/region.ts";
import { slotOffsets } from "./cache/virtual-cpu-slots.ts";
import { binaryTranslation } from "./index.ts";

const memoryBytes = 4 << 20;
/** Frames that are nobody's, behind the guest's. */
const canaryBytes = 1 << 20;

function run(source: string, limitUnits = 1_000_000): { readonly exit: Exit; readonly host: Host } {
  const host = Host.create({ memoryBytes: hostBytesFor(memoryBytes) + canaryBytes });
  using machine = binaryTranslation.create(host, flatKernel(source, memoryBytes));
  machine.input.end();
  return { exit: machine.run(limitUnits), host };
}

const slot = (name: keyof typeof slotOffsets): bigint =>
  defaultRegionBase + BigInt(slotOffsets[name]);
const cache = defaultRegionBase + 0x2_4000n;

describe("a guest that writes wherever it can", () => {
  const pattern = 0x5a17_c3e9_0dd5_ba5en;

  test("changes no byte outside its own frames and the slots of its virtual CPU", () => {
    // All of its RAM above 3 MiB, then a word in each 4 KiB up to 64 MiB, in each 2 MiB up to 4 GiB, and in each page of the region.
    const { exit, host } = run(`
        ${countFaults}
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
        mov ebx, 4
        mov rdi, ${defaultRegionBase + 0x800n}
      region:
        mov [rdi+0], rax
        nop
        add rdi, 0x1000
        jnc region
        mov eax, ebp
        ${powerOff}
      `);
    // Every page but that of the slots faults, and 16 at the end are not there at all.
    expect(exit).toEqual({ reason: "halted", value: 511 });
    const { physical } = host.memory;
    let words = 0;
    for (let at = 0; at < physical.sizeBytes; at += 8) {
      if (physical.readU64(at) === pattern) words += 1;
    }
    // Its RAM, and in the page of slots the word that it wrote and RAX as it was spilled last.
    expect(words).toBe((memoryBytes - 0x38_0000) / 8 + 2);
    const canary = physical.read(physical.sizeBytes - canaryBytes, canaryBytes);
    expect(canary.every((byte) => byte === 0)).toBe(true);
  });
});

describe("a guest that knows where its translation is", () => {
  test("is stopped when it makes a branch of its own lead out of the cache", () => {
    // The slot of the branch target is overwritten by the callee's own code, between lookup and jump it cannot be: so
    // the spilled register is, which a fault would restore.
    const { exit } = run(`
        mov rax, ${cache}
        call rax
        ${powerOff}
    `);
    // A branch to the cache is a branch to an address that the guest has not mapped.
    expect(exit).toMatchObject({ reason: "crashed", why: expect.stringMatching(/Triple fault/u) });
  });

  test.each(Object.keys(slotOffsets) as (keyof typeof slotOffsets)[])(
    "harms only itself by writing the slot %s",
    (name) => {
      const { exit } = run(
        `
        mov rcx, ${slot(name)}
        mov rax, 0x8000000000000123
        mov [rcx], rax
        mov cr8, rdx
        pushfq
        popfq
        swapgs
        swapgs
        mov rbx, cr3
        sti
        nop
        cli
        call next
      next:
        in al, 0x80
        mov [rcx], rax
        jmp next
      `,
        20_000,
      );
      expect(["limit", "crashed", "halted"]).toContain(exit.reason);
    },
  );

  test("writes the task priority into its slot and gets no more than a task priority", () => {
    const { exit } = run(`
        mov rcx, ${slot("taskPriority")}
        mov rax, 0x123456789
        mov [rcx], rax
        out 0x80, al
        mov rax, cr8
        ${powerOff}
    `);
    expect(exit).toEqual({ reason: "halted", value: 9 });
  });
});

describe("a guest that misuses the architecture", () => {
  test("gets #GP for addresses that are not canonical, wherever they come from", () => {
    const { exit } = run(`
        ${countFaults}
        mov rax, 0x800000000000
        mov ebx, 3
        mov rdx, [rax]
        nop
        mov ebx, 2
        jmp rax
        call rax
        mov ebx, 1
        push rax
        ret
        pop rax
        cmp rsp, 0x200000
        jne wrong
        mov eax, ebp
        ${powerOff}
      wrong:
        mov eax, -1
        ${powerOff}
    `);
    expect(exit).toEqual({ reason: "halted", value: 4 });
  });

  test("jumps into the middle of its instructions", () => {
    // b8 90 90 90 c3: MOV EAX, or from its second byte three NOPs and a RET.
    const { exit } = run(`
        mov ebx, 0
        jmp over
      inner:
        db 0xb8, 0xff, 0xc3, 0x90, 0xc3
        ret
      over:
        lea rcx, [rel inner]
        call rcx
        inc rcx
        call rcx
        call rcx
        and eax, 0xffff
        add eax, ebx
        ${powerOff}
    `);
    expect(exit).toEqual({ reason: "halted", value: 0xc3ff + 2 });
  });

  test("crashes alone in 32-bit code", () => {
    // A far return to a segment of a GDT of its own.
    const { exit } = run(`
        mov rdi, 0x300000
        mov rax, 0x00cf9b000000ffff
        mov [rdi + 8], rax
        mov word [rdi + 0x20], 0xf
        mov [rdi + 0x22], rdi
        lgdt [rdi + 0x20]
        push 8
        lea rax, [rel there]
        push rax
        db 0x48, 0xcb
      there:
        hlt
    `);
    expect(exit).toMatchObject({ reason: "crashed", why: expect.stringMatching(/32-bit code/u) });
  });
});
