import { describe, expect, test } from "vitest";
import { ADDRESS, arrived, halted, KernelBench } from "../testing/kernel-bench.ts";

const FIRST = ADDRESS.pages;
const SECOND = ADDRESS.pages + 0x1000;

// Intel SDM Vol. 2B, "REP/REPE/REPZ/REPNE/REPNZ—Repeat String Operation Prefix".
describe("A repeated string instruction", () => {
  test("that faults has moved what came before, and can be restarted", () => {
    const bench = new KernelBench();
    const bytes = Uint8Array.from({ length: 32 }, (_, at) => at + 1);
    bench.memory.physical.write(ADDRESS.data, bytes);
    bench.setPage(SECOND, 0n);
    const text = `mov ecx, 32\nmov esi, ${ADDRESS.data}\nmov edi, ${SECOND - 16}\nrep movsb\nhlt`;
    const { vector, frame } = arrived(bench.run(text));
    const { state } = bench;
    expect(vector).toBe(14);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 15));
    expect(state.cr2).toBe(BigInt(SECOND));
    expect([state.rcx, state.rsi, state.rdi]).toEqual([
      16n,
      BigInt(ADDRESS.data + 16),
      BigInt(SECOND),
    ]);
    expect(bench.memory.physical.read(SECOND - 16, 16)).toEqual(bytes.subarray(0, 16));
  });

  test("counts every iteration as one instruction", () => {
    const bench = new KernelBench();
    halted(bench.run(`mov ecx, 100\nmov edi, ${FIRST}\nrep stosb\nhlt`));
    expect(bench.processor.instructions).toBe(2 + 100 + 1);
  });

  test("takes an interrupt between two iterations", () => {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, `mov ecx, 100\nmov edi, ${FIRST}\nrep stosb\nhlt`);
    bench.enter({ rflags: 0x202n });
    bench.processor.run(12);
    bench.processor.setInterruptRequest(true);
    const { vector, frame } = arrived(bench.go());
    expect(vector).toBe(0x40);
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 10));
    expect([bench.state.rcx, bench.state.rdi]).toEqual([90n, BigInt(FIRST + 10)]);
  });

  test("with a count of zero does nothing, not even fault", () => {
    const bench = new KernelBench();
    bench.setPage(SECOND, 0n);
    halted(bench.run(`xor ecx, ecx\nmov edi, ${SECOND}\nrep stosq\nhlt`));
    expect(bench.state.rdi).toBe(BigInt(SECOND));
  });

  test("stops where the comparison decides, past the element that did", () => {
    const bench = new KernelBench();
    bench.memory.physical.write(FIRST, Uint8Array.of(7, 7, 7, 9, 7));
    halted(bench.run(`mov ecx, 5\nmov al, 7\nmov edi, ${FIRST}\nrepe scasb\nhlt`));
    expect([bench.state.rcx, bench.state.rdi]).toEqual([1n, BigInt(FIRST + 4)]);
    halted(bench.run(`mov ecx, 5\nmov al, 9\nmov edi, ${FIRST}\nrepne scasb\nhlt`));
    expect([bench.state.rcx, bench.state.rdi]).toEqual([1n, BigInt(FIRST + 4)]);
  });
});
