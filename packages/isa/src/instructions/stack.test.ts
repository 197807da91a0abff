import { describe, expect, test } from "vitest";
import { ADDRESS, arrived, halted, KernelBench } from "../testing/kernel-bench.ts";

const ABSENT = ADDRESS.pages + 0x1000;
const NON_CANONICAL = "0x1234567812345678";

function withAbsentPage(): KernelBench {
  const bench = new KernelBench();
  bench.setPage(ABSENT, 0n);
  return bench;
}

// Intel SDM Vol. 2B, "PUSH—Push Word, Doubleword, or Quadword Onto the Stack" and "POP—Pop a Value From the Stack".
describe("A stack instruction that faults leaves RSP as it was:", () => {
  // RSP at the start of the page above the absent one: what is pushed faults, what is popped does not.
  const above = ABSENT + 0x1000;

  test.each([
    ["push rax", above],
    ["push qword ptr [0x80000]", above],
    ["call rax", above],
    ["enter 16, 0", above],
    ["enter 16, 3", above],
    ["pop rax", ABSENT],
    ["pop qword ptr [0x80000]", ABSENT],
    ["ret", ABSENT],
    ["ret 8", ABSENT],
  ])("%s", (instruction, rsp) => {
    const bench = withAbsentPage();
    // The handler's stack is another: the fault is delivered through IST 1.
    bench.changeGate(14, { ist: 1 });
    const text = `mov ebp, ${above + 64}\nmov eax, ${ADDRESS.code}\nmov rsp, ${rsp}\n${instruction}\nhlt`;
    const { vector, frame } = arrived(bench.run(text));
    expect(vector).toBe(14);
    expect(frame.rsp).toBe(BigInt(rsp));
    expect(bench.state.rbp).toBe(BigInt(above + 64));
  });

  test("pop into memory that is absent", () => {
    const bench = withAbsentPage();
    const { vector, frame } = arrived(bench.run(`pop qword ptr [${ABSENT}]\nhlt`));
    expect(vector).toBe(14);
    expect(frame.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });

  test("leave", () => {
    const bench = withAbsentPage();
    const { frame } = arrived(bench.run(`mov ebp, ${ABSENT}\nleave\nhlt`));
    expect(frame.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
    expect(bench.state.rbp).toBe(BigInt(ABSENT));
  });
});

describe("POP", () => {
  test("computes an address from RSP after it has moved", () => {
    const bench = new KernelBench();
    halted(bench.run("push 1\npush 2\npop qword ptr [rsp]\npop rax\nhlt"));
    expect(bench.state.rax).toBe(2n);
    expect(bench.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });
});

// Intel SDM Vol. 2A, "CALL—Call Procedure"; Vol. 2B, "RET—Return From Procedure".
describe("A near transfer to an address that is not canonical", () => {
  test("by CALL pushes nothing", () => {
    const { vector, frame } = arrived(
      new KernelBench().run(`mov rax, ${NON_CANONICAL}\ncall rax\nhlt`),
    );
    expect(vector).toBe(13);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 10));
    expect(frame.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });

  test("by RET leaves the address on the stack", () => {
    const text = `mov rax, ${NON_CANONICAL}\npush rax\nret 16\nhlt`;
    const { vector, frame } = arrived(new KernelBench().run(text));
    expect(vector).toBe(13);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 11));
    expect(frame.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1008));
  });
});
