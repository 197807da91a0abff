/** Stories of units whose counts are made up. */
import { countTree, pentium4, price, type Counts } from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { cyclesOf, storyOf, type StoryLine } from "./narrative.ts";
import type { UnitStep } from "./operation.ts";

function step(flat: Record<string, number>, instructions = 0, instruction?: string): UnitStep {
  const counts: Counts = {
    rings: {},
    mnemonics: {},
    exceptions: {},
    interrupts: {},
    translation: {},
    ...countTree(flat),
    units: 1,
    instructions,
  };
  return { counts, instruction };
}

const plain = (ring: number): UnitStep => step({ [`rings.ring${ring}`]: 1 }, 1);
const pageFault = step({ "exceptions.14": 1 }, 0, "mov al, byte ptr [rsi]");
const exit = step(
  { "exits.exception-or-nmi": 1, "monitor.vmreads": 7, "faults.hidden": 1, "monitor.entries": 1 },
  0,
  "mov rax, rbx",
);
const entry = step({ entries: 1, "rings.ring0": 1 }, 1);
const trapServed = step(
  {
    "monitor.exceptions.13": 1,
    "monitor.emulated.cli": 1,
    "returns.iret": 1,
    "monitor.entries": 1,
  },
  0,
  "cli",
);

/** Kinds and roles, without numbers. */
function outline(lines: readonly StoryLine[]): unknown {
  return lines.map((line) => {
    switch (line.kind) {
      case "run":
        return `${line.instructions} in ring ${line.ring}`;
      case "event":
        return [line.role, ...line.words.map(({ name }) => name)].join(", ");
      case "repeat":
        return [line.times, outline(line.lines)];
    }
  });
}

describe("a story", () => {
  test("tells plain instructions of one ring in one line", () => {
    const story = storyOf([plain(3), plain(3), plain(0), plain(0), plain(0)], pentium4);
    expect(outline(story)).toEqual(["2 in ring 3", "3 in ring 0"]);
  });

  test("has the event where it happened, with the instruction that it happened to", () => {
    const story = storyOf([plain(0), pageFault, plain(0)], pentium4);
    expect(outline(story)).toEqual(["1 in ring 0", "entering, A page fault (#PF)", "1 in ring 0"]);
    expect(story[1]).toMatchObject({ instruction: "mov al, byte ptr [rsi]", cycles: 663 });
  });

  test("lets a VM entry come before what the guest then does", () => {
    expect(outline(storyOf([exit, entry], pentium4))).toEqual([
      "entering, VM exit for a page fault",
      "serving, A hidden fault",
      "resuming, VM entry",
      "1 in ring 0",
    ]);
  });

  test("lets a trap that is over in a unit end with the return", () => {
    expect(outline(storyOf([trapServed, plain(1)], pentium4))).toEqual([
      "entering, A protection fault (#GP)",
      "serving, Emulated CLI",
      "resuming, IRET by the monitor",
      "1 in ring 1",
    ]);
  });

  test("resumes first when the unit before left the monitor in control, and traps again", () => {
    const trapAgain = step(
      { "returns.iret": 1, "monitor.exceptions.14": 1, "monitor.entries": 1 },
      0,
      "mov rax, rbx",
    );
    const left = step({ "monitor.exceptions.13": 1, "monitor.entries": 1 }, 0, "cli");
    expect(outline(storyOf([left, trapAgain], pentium4))).toEqual([
      "entering, A protection fault (#GP)",
      "serving",
      "resuming, IRET by the monitor",
      "entering, A page fault (#PF)",
      "serving",
    ]);
  });

  test("tells a pattern that repeats once", () => {
    const round = [exit, entry, plain(0), plain(0)];
    const story = storyOf([plain(3), ...round, ...round, ...round, plain(3)], pentium4);
    expect(outline(story)).toEqual([
      "1 in ring 3",
      [
        3,
        [
          "entering, VM exit for a page fault",
          "serving, A hidden fault",
          "resuming, VM entry",
          "3 in ring 0",
        ],
      ],
      "1 in ring 3",
    ]);
  });

  test("loses no cycle", () => {
    const steps = [plain(3), exit, entry, pageFault, plain(0), exit, entry, trapServed, plain(1)];
    const priced = steps.reduce(
      (sum, { counts }) => sum + (price(counts, pentium4).modelledCycles ?? 0),
      0,
    );
    expect(priced).toBeGreaterThan(10_000);
    expect(cyclesOf(storyOf(steps, pentium4))).toBeCloseTo(priced, 6);
  });
});
