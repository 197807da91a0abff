/** What the processor counts and what cost profiles price go by the same names: else a price would miss work in silence. */
import { nanoImage, userProgram } from "@ringside/guest";
import { assemble } from "@ringside/isa";
import {
  countAt,
  countsBetween,
  Host,
  pentium4,
  price,
  type Counts,
  type Guest,
} from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { bare } from "./index.ts";

const memoryBytes = 32 << 20;

/** Counts of a whole run, and at its marks. */
function run(guest: Guest): {
  readonly counts: Counts;
  readonly marks: ReadonlyMap<number, Counts>;
} {
  const marks = new Map<number, Counts>();
  using machine = bare.create(Host.create({ memoryBytes }), guest, {
    trace: { mark: ({ id }) => void marks.set(id, machine.counts()) },
  });
  machine.input.end();
  machine.run(1_000_000_000);
  return { counts: machine.counts(), marks };
}

/** Instructions that neither the guest kernel nor the nano kernel executes, with an IDT that returns. */
const rare = `
    mov rsp, 0x200000
    lea rax, [rel handler]
    mov rdi, 0x300000
    mov ecx, 16
  gate:
    mov [rdi], ax
    mov word [rdi + 2], 0x08
    mov word [rdi + 4], 0x8e00
    mov rdx, rax
    shr rdx, 16
    mov [rdi + 6], dx
    shr rdx, 16
    mov [rdi + 8], edx
    add rdi, 16
    loop gate
    push 0x300000
    sub rsp, 8
    mov word [rsp + 6], 0xff
    lidt [rsp + 6]
    int 3
    int3
    pushf
    popf
    mov edx, 0x80
    mov edi, 0x310000
    insb
    xor eax, eax
    out 0xf4, eax
  handler:
    iretq
`;

describe("counts of a bare machine", () => {
  const nano = (name: string): Guest => ({
    kind: "kernel",
    format: "elf64",
    image: nanoImage(),
    commandLine: `bench=${name} n=1000`,
    memoryBytes,
  });
  const program: Guest = {
    kind: "program",
    argv: ["/bin/alarms"],
    env: [],
    files: new Map([["/bin/alarms", { bytes: userProgram("tests/alarms"), mode: 0o755 }]]),
    memoryBytes,
  };
  const flat: Guest = {
    kind: "kernel",
    format: "flat",
    image: assemble(rare, { address: 0x10_0000n }).bytes,
    commandLine: "",
    memoryBytes,
  };

  test("cover every constant of the Pentium 4 that is no hypervisor's", () => {
    const all = [program, flat, nano("cr8wr"), nano("divzero")].map((guest) => run(guest).counts);
    const hypervisors =
      /^(?:callouts|entries|exits|hypercalls|monitor|multicallEntries|returns|translation\.(?!walk))/u;
    const names = pentium4.constants
      .flatMap(({ prices }) => (prices.kind === "counts" ? prices.names : []))
      .filter((name) => !hypervisors.test(name));
    const missing = names.filter((name) => all.every((counts) => countAt(counts, name) === 0));
    expect(missing).toEqual([]);
  });

  test.each([
    ["in", 3209],
    ["cr8wr", 140],
    ["call-ret", 11],
    ["pgfault", 1093],
    ["divzero", 889],
    ["ptemod", 1],
    ["syscall", 242],
  ])("price %s at its published %i cycles, and at most three more for the loop", (name, cycles) => {
    const operations = 1000;
    const { marks } = run(nano(name));
    const [start, end] = [marks.get(2), marks.get(3)];
    if (start === undefined || end === undefined) throw new Error("a mark is missing");
    const modelled = price(countsBetween(start, end), pentium4).modelledCycles ?? 0;
    const each = modelled / operations;
    expect(each).toBeGreaterThanOrEqual(cycles);
    expect(each).toBeLessThan(cycles + 3.1);
  });
});
