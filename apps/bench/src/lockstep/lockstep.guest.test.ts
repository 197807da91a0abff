/** `ringside lockstep` as a user meets it, beside the real QEMU. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assemble } from "@ringside/isa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cannotRun, ringsideIn, type Ended } from "../testing/ringside-process.ts";

function hasQemu(): boolean {
  try {
    execFileSync("qemu-system-x86_64", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false; // That is the answer.
  }
}

/** Integer, string, x87 and SSE code, an exception and its handler, and what comes from outside. */
const SOURCE = `
  lea rax, [rip + handler]
  mov rdi, 0x300000
  mov word ptr [rdi + 0x60], ax
  mov word ptr [rdi + 0x62], 8
  mov byte ptr [rdi + 0x65], 0x8e
  shr rax, 16
  mov word ptr [rdi + 0x66], ax
  shr rax, 16
  mov dword ptr [rdi + 0x68], eax
  mov word ptr [rip + idtr], 0xfff
  mov qword ptr [rip + idtr + 2], rdi
  lidt [rip + idtr]
  mov rsp, 0x280000
  fninit
  fldpi
  fsin
  fsqrt
  mov ecx, 5
again: imul rax, rcx, 12345
  push rax
  pop rbx
  cvtsi2sd xmm1, rbx
  sqrtsd xmm2, xmm1
  shld rbx, rax, 3
  dec ecx
  jnz again
  mov edi, 0x200000
  mov ecx, 7
  cld
  rep stosq
  cpuid
  rdtsc
  in al, 0x80
  ud2
after: mov al, 1
  out 0xf4, al
  hlt
handler: add qword ptr [rsp], 2
  iretq
idtr: resb 10`;

/** TZCNT where there is BMI1, else BSF, which leaves its destination alone when there is no bit. */
const DEPENDS = "xor eax, eax\n mov ebx, 7\n db 0xf3, 0x0f, 0xbc, 0xd8\n cli\n hlt";

let folder = "";
const lockstep = async (source: string, ...args: string[]): Promise<Ended> => {
  await writeFile(join(folder, "kernel"), assemble(source, { address: 0x10_0000n }).bytes);
  const kernel = ["--kernel", "kernel", "--format", "flat", "--memory", "4M"];
  return ringsideIn(folder, ["lockstep", ...kernel, ...args]);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ringside-lockstep-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.skipIf(cannotRun || !hasQemu())("lockstep (skipped where there is no QEMU)", () => {
  test("goes with QEMU through code of all kinds, copying what comes from outside", async () => {
    const { status, stdout, stderr } = await lockstep(SOURCE);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const [, compared, copied] =
      /^(\d+) instructions compared, (\d+) results from outside/u.exec(stdout) ?? [];
    expect(Number(compared)).toBe(75);
    expect(Number(copied)).toBe(4);
    expect(stdout).toContain("no difference");
  });

  test("begins in the middle, with all that is in the registers by then", async () => {
    const { symbols } = assemble(SOURCE, { address: 0x10_0000n });
    const at = `0x${(symbols.get("after") ?? 0n).toString(16)}`;
    expect(await lockstep(SOURCE, "--at", at)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^1 instructions compared/u),
    });
  });

  test("shows both states at the first difference", async () => {
    const { status, stdout } = await lockstep(DEPENDS, "--qemu-cpu", "max");
    expect(status).toBe(1);
    expect(stdout).toMatch(/^After 3 instructions the two differ in rbx/u);
    expect(stdout).toMatch(/^ {2}0000000000100007 {2}f3 0f bc d8 /mu);
    expect(stdout).toMatch(/^\* rbx +7 +20$/mu);
    expect(stdout).toMatch(/^ {2}rax +0 +0$/mu);
  });

  test("says what is wrong when QEMU is not there, or the guest ends before the beginning", async () => {
    expect(await lockstep(DEPENDS, "--qemu", "no-such-program")).toMatchObject({
      status: 125,
      stderr: expect.stringContaining(
        "ringside: QEMU does not start: spawn no-such-program ENOENT",
      ),
    });
    expect(await lockstep(DEPENDS, "--after", "100")).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('it is "halted" after'),
    });
  });
});
