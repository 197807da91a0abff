import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { ADDRESS, arrived, halted, KernelBench, PTE } from "../testing/kernel-bench.ts";

const isGp0 = { vector: 13, frame: { errorCode: 0 } };
/** The bench's ports read as their number in every byte. */
const PORT = 0x2a;

// Intel SDM Vol. 2A, "IN—Input From Port"; Vol. 2B, "OUT—Output to Port".
describe("IN and OUT", () => {
  coversEncodings("in", "out");

  test("read 1, 2 and 4 bytes, by immediate and by DX", () => {
    const bench = new KernelBench();
    const text = `mov rax, -1\nin al, ${PORT}\nmov rbx, rax\nin ax, ${PORT}\nmov rcx, rax\nin eax, ${PORT}\nmov rsi, rax\nmov edx, ${PORT}\nmov rax, -1\nin al, dx\nmov rdi, rax\nin ax, dx\nmov r8, rax\nin eax, dx\nhlt`;
    halted(bench.run(text));
    const [one, two, four] = [0xffff_ffff_ffff_ff2an, 0xffff_ffff_ffff_2a2an, 0x2a2a_2a2an];
    const { state } = bench;
    expect([state.rbx, state.rcx, state.rsi]).toEqual([one, two, four]);
    expect([state.rdi, state.register(8), state.rax]).toEqual([one, two, four]);
  });

  test("write 1, 2 and 4 bytes, by immediate and by DX", () => {
    const bench = new KernelBench();
    halted(
      bench.run(
        `mov eax, 0x89abcdef\nmov edx, 0x1234\nout ${PORT}, al\nout ${PORT}, ax\nout ${PORT}, eax\nout dx, al\nout dx, ax\nout dx, eax\nhlt`,
      ),
    );
    expect(bench.portWrites).toEqual([
      [PORT, 1, 0xef],
      [PORT, 2, 0xcdef],
      [PORT, 4, 0x89ab_cdef],
      [0x1234, 1, 0xef],
      [0x1234, 2, 0xcdef],
      [0x1234, 4, 0x89ab_cdef],
    ]);
  });

  test("an interrupt that a port access asserts is taken right after it", () => {
    const bench: KernelBench = new KernelBench({
      ports: { read: () => 0, write: () => bench.processor.setInterruptRequest(true) },
    });
    const { frame } = arrived(bench.run(`out ${PORT}, al\nnop\nhlt`, { rflags: 0x202n }));
    expect(frame.rip).toBe(BigInt(ADDRESS.code + 2));
  });
});

// Intel SDM Vol. 1 §19.5.2, "I/O Permission Bit Map".
describe("The I/O permission bitmap", () => {
  const BITMAP = 0x68;

  /** Runs an access at CPL 3 with IOPL 0 and a bitmap in which the given ports are denied. */
  function access(
    text: string,
    denied: readonly number[],
    tssLimit: number = BITMAP + 0x20,
  ): number {
    const bench = new KernelBench();
    bench.load(ADDRESS.code, `${text}\nint 0x80`);
    bench.enter({ cpl: 3 });
    const { physical } = bench.memory;
    physical.writeU16(ADDRESS.tss + 0x66, BITMAP);
    physical.fill(ADDRESS.tss + BITMAP, 0, 0x21);
    for (const port of denied) {
      const at = ADDRESS.tss + BITMAP + (port >> 3);
      physical.writeU8(at, physical.readU8(at) | (1 << (port & 7)));
    }
    bench.state.setSegment("tr", { ...bench.state.segment("tr"), limit: tssLimit });
    return arrived(bench.go()).vector;
  }

  test("allows a port whose bit is 0, and denies one whose bit is 1", () => {
    expect(access("in al, 0x2a", [0x29, 0x2b])).toBe(0x80);
    expect(access("in al, 0x2a", [0x2a])).toBe(13);
    expect(access("out 0x2a, al", [0x2a])).toBe(13);
  });

  test("looks at each port of a wide access, over a byte's end as well", () => {
    expect(access("in eax, 0x2e", [])).toBe(0x80);
    for (const port of [0x2e, 0x2f, 0x30, 0x31]) expect(access("in eax, 0x2e", [port])).toBe(13);
    expect(access("in ax, 0x2e", [0x30])).toBe(0x80);
  });

  test("denies what lies beyond the TSS", () => {
    expect(access("in al, 0x2a", [], BITMAP + 6)).toBe(0x80);
    expect(access("in al, 0x2a", [], BITMAP + 5)).toBe(13);
    expect(access("in al, 0x2a", [], 0x66)).toBe(13);
  });

  test("is not asked when CPL is at most IOPL", () => {
    const bench = new KernelBench();
    expect(arrived(bench.run("in al, 0x2a\nint 0x80", { cpl: 3, rflags: 0x3002n })).vector).toBe(
      0x80,
    );
    expect(arrived(bench.run("in al, 0x2a\nint 0x80", { cpl: 3, rflags: 0x2002n }))).toMatchObject(
      isGp0,
    );
    expect(arrived(bench.run("in al, 0x2a", { cpl: 1 }))).toMatchObject(isGp0);
  });
});

// Intel SDM Vol. 2A, "INS/INSB/INSW/INSD—Input from Port to String"; Vol. 2B, "OUTS/OUTSB/OUTSW/OUTSD—Output String to Port".
describe("INS and OUTS", () => {
  coversEncodings("ins", "outs");

  test("move one element and step RDI or RSI in the direction of DF", () => {
    const bench = new KernelBench();
    bench.memory.physical.writeU64(ADDRESS.data, 0x8877_6655_4433_2211n);
    const text = `mov edx, ${PORT}\nmov edi, ${ADDRESS.data + 16}\ninsb\ninsw\ninsd\nmov rbx, rdi\nmov esi, ${ADDRESS.data}\noutsb\noutsw\noutsd\nmov rcx, rsi\nstd\noutsb\ninsb\nhlt`;
    halted(bench.run(text));
    const { state } = bench;
    expect([state.rbx, state.rcx]).toEqual([BigInt(ADDRESS.data + 23), BigInt(ADDRESS.data + 7)]);
    expect([state.rdi, state.rsi]).toEqual([BigInt(ADDRESS.data + 22), BigInt(ADDRESS.data + 6)]);
    expect(bench.memory.physical.readU64(ADDRESS.data + 16)).toBe(0x2a_2a2a_2a2a_2a2a_2an);
    expect(bench.portWrites).toEqual([
      [PORT, 1, 0x11],
      [PORT, 2, 0x3322],
      [PORT, 4, 0x7766_5544],
      [PORT, 1, 0x88],
    ]);
  });

  test("repeat RCX times, one unit each", () => {
    const bench = new KernelBench();
    bench.memory.physical.write(ADDRESS.data, new Uint8Array([1, 2, 3]));
    halted(
      bench.run(
        `mov edx, ${PORT}\nmov esi, ${ADDRESS.data}\nmov ecx, 3\nrep outsb\nmov edi, ${ADDRESS.data}\nmov ecx, 2\nrep insw\nhlt`,
      ),
    );
    expect(bench.portWrites.map(([, , value]) => value)).toEqual([1, 2, 3]);
    expect(bench.memory.physical.readU32(ADDRESS.data)).toBe(0x2a2a_2a2a);
    expect([bench.state.rcx, bench.processor.instructions]).toEqual([0n, 3 + 3 + 2 + 2 + 1]);
  });

  test("INS does not read the port when memory cannot be written", () => {
    let reads = 0;
    const bench = new KernelBench({ ports: { read: () => (reads += 1), write: () => undefined } });
    bench.load(ADDRESS.code, `mov edi, ${ADDRESS.pages}\ninsb`);
    bench.enter();
    bench.setPage(ADDRESS.pages, PTE.P);
    expect(arrived(bench.go())).toMatchObject({ vector: 14, frame: { errorCode: 3 } });
    expect(reads).toBe(0);
  });
});
