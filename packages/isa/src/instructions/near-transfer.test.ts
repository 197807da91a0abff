import { beforeEach, describe, expect, test } from "vitest";
import { ADDRESS, arrived, KernelBench, PTE } from "../testing/kernel-bench.ts";

/** Linear address of the last 2 MiB of the lower half, where the tests map the first 2 MiB of memory again. */
const TOP = 0x7fff_ffe0_0000n;
/** Where the code of a test lies in them; the page above has the end of the lower half behind it. */
const CODE = 0x1f_ff00;
/** As far from the code as the first address that is not canonical. */
const BEYOND = 0x20_0000;
const NEAREST = 0x1f_fff0;

const GP = 13;

// Intel SDM Vol. 2A, "JMP—Jump", "CALL—Call Procedure", "Jcc—Jump if Condition Is Met", "LOOP/LOOPcc—Loop According to
// ECX Counter": 64-bit mode exceptions, "#GP(0) If the target offset is not canonical". Seen so on an AMD EPYC.
describe("A relative transfer to an address that is not canonical faults with its own RIP:", () => {
  let bench: KernelBench;

  beforeEach(() => {
    bench = new KernelBench();
    const { physical } = bench.memory;
    const [pdpt, directory] = [ADDRESS.pages, ADDRESS.pages + 0x1000];
    const entry = PTE.P | PTE.W | PTE.U;
    physical.writeU64(ADDRESS.pml4 + 255 * 8, BigInt(pdpt) | entry);
    physical.writeU64(pdpt + 511 * 8, BigInt(directory) | entry);
    physical.writeU64(directory + 511 * 8, entry | PTE.PS);
  });

  test.each([
    ["jmp", CODE, `jmp ${BEYOND}`],
    ["jmp, far beyond", CODE, `jmp ${BEYOND + 0x4000_0000}`],
    ["call", CODE, `call ${BEYOND}`],
    ["je", CODE, `je ${BEYOND}`],
    ["jmp of 8 bits", NEAREST, `jmp short ${BEYOND + 0x40}`],
    [
      "jne of 8 bits, not taken, and then je",
      NEAREST - 2,
      `jne ${BEYOND + 0x40}\nje ${BEYOND + 0x40}`,
    ],
    ["loop", NEAREST, `loop ${BEYOND + 0x40}`],
    ["loope", NEAREST, `loope ${BEYOND + 0x40}`],
    ["jrcxz", NEAREST, `jrcxz ${BEYOND + 0x40}`],
  ])("%s", (name, at, text) => {
    const count = name === "jrcxz" ? 0 : 5;
    bench.load(at, text);
    const start = TOP + BigInt(at);
    const { vector, frame } = arrived(
      bench.run(`mov ecx, ${count}\ncmp eax, eax\nmov rax, ${start}\njmp rax`),
    );
    expect(vector).toBe(GP);
    expect(frame.rip).toBe(start + (name.startsWith("jne") ? 2n : 0n));
    expect(frame.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
    expect(bench.state.rcx).toBe(BigInt(count));
  });

  test("code that runs on to such an address faults there", () => {
    bench.load(BEYOND - 2, "nop\nnop");
    const { vector, frame } = arrived(bench.run(`mov rax, ${TOP + BigInt(BEYOND - 2)}\njmp rax`));
    expect(vector).toBe(GP);
    expect(frame.rip).toBe(0x8000_0000_0000n);
  });
});
