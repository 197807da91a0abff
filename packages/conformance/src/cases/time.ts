/** Limits, determinism and counts. */
import { countAt, type Counts } from "@ringside/strategy";
import type { ConformanceCase, Subject } from "../conformance-case.ts";
import { execute } from "../execution.ts";
import { expectEqual, expectTrue } from "../expect.ts";
import { copies, exits, programGuest, spins, tinyProgram } from "../tiny-program.ts";

/** Runs `mark 0x100`, a loop of `rounds` times two instructions, `mark 0x101`, exit(0). */
const marks = (rounds: number): Uint8Array =>
  tinyProgram(`
      mov ecx, ${rounds}
      db 0x0f, 0x1f, 0x84, 0x00
      dd 0x52490100
    again:
      dec ecx
      jnz again
      db 0x0f, 0x1f, 0x84, 0x00
      dd 0x52490101
      mov eax, 60
      xor edi, edi
      syscall
  `);

/** Counts at each mark of a program. */
function countsAtMarks({ strategy, host }: Subject, executable: Uint8Array): Map<number, Counts> {
  const seen = new Map<number, Counts>();
  using vm = strategy.create(host, programGuest(executable), {
    trace: { mark: ({ id }) => void seen.set(id, vm.counts()) },
  });
  vm.input.end();
  vm.run(1_000_000_000);
  return seen;
}

export const timeCases: readonly ConformanceCase[] = [
  {
    name: "honours a limit at exactly that unit",
    requires: "programs",
    run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(spins()));
      let units = 0;
      for (const limit of [1, 1, 7, 1000, 999_983, 5_000_000]) {
        expectEqual(vm.run(limit), { reason: "limit" }, `the exit of run(${limit})`);
        units += limit;
        expectEqual(vm.units, units, `units after run(${limit})`);
      }
    },
  },
  {
    name: "runs the same in one piece and in slices",
    requires: "programs",
    run(subject) {
      const input = new TextEncoder().encode("some lines\nof input\n".repeat(200));
      const whole = execute(subject, programGuest(copies()), { input });
      const slices = execute(subject, programGuest(copies()), { input, sliceUnits: 9973 });
      expectEqual(slices.exit, whole.exit, "the exit");
      expectEqual(slices.units, whole.units, "the units");
      expectEqual(slices.stdout, whole.stdout, "the output");
    },
  },
  {
    name: "counts the same when the same machine runs twice",
    requires: "programs",
    run({ strategy, host }) {
      const counts = [1, 2].map(() => {
        using vm = strategy.create(host, programGuest(exits(0)));
        vm.input.end();
        vm.run(1_000_000_000);
        return vm.counts();
      });
      expectEqual(counts[1], counts[0], "the counts of the second machine");
    },
  },
  {
    name: "counts the same after a reset",
    requires: "programs",
    run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(exits(0)));
      const counts = [1, 2].map(() => {
        vm.reset();
        vm.input.end();
        vm.run(1_000_000_000);
        return vm.counts();
      });
      expectEqual(counts[1], counts[0], "the counts of the second life");
    },
  },
  {
    name: "counts instructions by ring that sum up, and no more of them than units",
    requires: "programs",
    run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(marks(1000)));
      vm.input.end();
      vm.run(1_000_000_000);
      const counts = vm.counts();
      expectEqual(countAt(counts, "rings"), counts.instructions, "the sum of the rings");
      expectTrue(counts.instructions > 2000, "the loop of 2000 instructions was counted");
      expectTrue(counts.instructions <= counts.units, "no more instructions than units");
      expectEqual(counts.units, vm.units, "the units of the counts");
    },
  },
  {
    name: "reports marks as they are executed, with exact counts in between",
    requires: "programs",
    run(subject) {
      const userInstructions = [10, 1000].map((rounds) => {
        const seen = countsAtMarks(subject, marks(rounds));
        const [first, last] = [seen.get(0x100), seen.get(0x101)];
        if (first === undefined || last === undefined) throw new Error("a mark was not reported");
        expectEqual(seen.size, 2, "the number of marks");
        return countAt(last, "rings.ring3") - countAt(first, "rings.ring3");
      });
      // Interrupts between the marks add instructions of the kernel, never of the program.
      expectEqual(userInstructions, [21, 2001], "instructions of the program between the marks");
    },
  },
];
