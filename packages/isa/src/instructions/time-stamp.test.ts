import { describe, expect, test } from "vitest";
import { coversEncodings } from "../testing.ts";
import { arrived, halted, KernelBench } from "../testing/kernel-bench.ts";

const isGp0 = { vector: 13, frame: { errorCode: 0 } };
const TSD = 4n;

// Intel SDM Vol. 2B, "RDTSC—Read Time-Stamp Counter"; "RDTSCP—Read Time-Stamp Counter and Processor ID".
describe("RDTSC and RDTSCP", () => {
  coversEncodings("rdtsc", "rdtscp");

  test("count retired instructions exactly, and idle time", () => {
    const bench = new KernelBench();
    halted(bench.run("rdtsc\nmov ebx, eax\nnop\nnop\nrdtsc\nsub eax, ebx\nhlt"));
    expect(bench.state.rax).toBe(4n);
    bench.processor.idleUnits += 0x1_0000_0000;
    halted(bench.run("mov rax, -1\nmov rdx, -1\nrdtsc\nhlt"));
    expect(bench.state.rdx).toBe(1n);
    expect(bench.state.rax >> 32n).toBe(0n);
  });

  test("RDTSCP gives IA32_TSC_AUX in ECX", () => {
    const bench = new KernelBench();
    halted(
      bench.run(
        "mov ecx, 0xc0000103\nmov eax, 0x1234\nxor edx, edx\nwrmsr\nmov rcx, -1\nrdtscp\nhlt",
      ),
    );
    expect(bench.state.rcx).toBe(0x1234n);
  });

  test("are free at CPL 3 until CR4.TSD is set", () => {
    for (const text of ["rdtsc", "rdtscp"]) {
      const bench = new KernelBench();
      expect(arrived(bench.run(`${text}\nint 0x80`, { cpl: 3 })).vector).toBe(0x80);
      bench.enter({ cpl: 3 });
      bench.state.setControl("cr4", bench.state.cr4 | TSD);
      expect(arrived(bench.go())).toMatchObject(isGp0);
      bench.enter({ cpl: 0 });
      bench.state.setControl("cr4", bench.state.cr4 | TSD);
      expect(arrived(bench.go()).vector).toBe(0x80);
    }
  });

  // Intel SDM Vol. 3B §18.17.3, "Time-Stamp Counter Adjustment".
  test("follow a write of IA32_TIME_STAMP_COUNTER", () => {
    const bench = new KernelBench();
    halted(
      bench.run("mov ecx, 0x10\nxor eax, eax\nmov edx, 5\nwrmsr\nrdtsc\nmov ebx, eax\nrdmsr\nhlt"),
    );
    expect([bench.state.rdx, bench.state.rax, bench.state.rbx]).toEqual([5n, 3n, 1n]);
  });
});

// Intel SDM Vol. 2B, "RDPMC—Read Performance-Monitoring Counters".
describe("RDPMC", () => {
  coversEncodings("rdpmc");

  test("raises #GP(0): there are no counters", () => {
    expect(arrived(new KernelBench().run("xor ecx, ecx\nrdpmc"))).toMatchObject(isGp0);
  });
});
