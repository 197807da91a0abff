/** What exits under VT-x with EPT, and what does not any more; and that the hypervisor's work is counted. */
import { nanoImage } from "@ringside/guest";
import { handlers } from "@ringside/hypervisor/testing";
import { assemble } from "@ringside/isa";
import {
  countAt,
  countsBetween,
  Host,
  pentium4,
  price,
  type Counts,
  type CreateOptions,
  type Exit,
  type Guest,
  type KernelGuest,
} from "@ringside/strategy";
import { describe, expect, test } from "vitest";
import { vtx, vtxShadow } from "./index.ts";

const memoryBytes = 16 << 20;
const hostBytes = 17 << 20;

interface Ran {
  readonly exit: Exit;
  readonly log: string;
  readonly counts: Counts;
  readonly marks: ReadonlyMap<number, Counts>;
}

function run(guest: Guest, trace: CreateOptions["trace"] = {}): Ran {
  const marks = new Map<number, Counts>();
  let log = "";
  using machine = vtx.create(Host.create({ memoryBytes: hostBytes }), guest, {
    output: { log: (bytes) => (log += new TextDecoder().decode(bytes)) },
    trace: { ...trace, mark: ({ id }) => void marks.set(id, machine.counts()) },
  });
  machine.input.end();
  const exit = machine.run(1_000_000_000);
  return { exit, log, counts: machine.counts(), marks };
}

const nano = (name: string): KernelGuest => ({
  kind: "kernel",
  format: "elf64",
  image: nanoImage(),
  commandLine: `bench=${name} n=1000`,
  memoryBytes,
});

const flat = (source: string): Guest => ({
  kind: "kernel",
  format: "flat",
  image: assemble(`mov rsp, 0x200000\n${source}`, { address: 0x10_0000n }).bytes,
  commandLine: "",
  memoryBytes,
});

/** What the warm part of a nanobenchmark counted. */
function warm(name: string): Counts {
  const { exit, marks } = run(nano(name));
  expect(exit).toEqual({ reason: "halted", value: 0 });
  const [start, end] = [marks.get(2), marks.get(3)];
  if (start === undefined || end === undefined) throw new Error("a mark is missing");
  return countsBetween(start, end);
}

describe("exits of one operation", () => {
  test.each(["syscall", "cr8wr", "call-ret", "pgfault", "divzero", "ptemod"])(
    "%s: none",
    (name) => {
      expect(countAt(warm(name), "exits")).toBeLessThanOrEqual(2);
    },
  );

  test("in: one", () => {
    const counts = warm("in");
    expect(countAt(counts, "exits.io-instruction")).toBe(1000);
    expect(countAt(counts, "entries")).toBeGreaterThanOrEqual(1000);
    expect(countAt(counts, "monitor.vmreads")).toBeGreaterThan(1000);
    expect(countAt(counts, "monitor.vmwrites")).toBeGreaterThanOrEqual(1000);
  });
});

describe("extended page tables", () => {
  test("take at most 24 references a walk", () => {
    const { counts } = run(nano("pgfault"));
    const walks = countAt(counts, "translation.walks");
    expect(walks).toBeGreaterThan(0);
    const own = countAt(counts, "translation.walkReferences");
    const second = countAt(counts, "translation.secondStageReferences");
    expect(second).toBeGreaterThan(own);
    expect((own + second) / walks).toBeLessThanOrEqual(24);
  });

  test("get frames 16 pages at a time when one is first touched, and never again", () => {
    const touch = `
      mov ecx, 100
    again:
      mov rdi, 0x400000
      mov edx, 160
    page:
      mov [rdi], edi
      add rdi, 0x1000
      dec edx
      jnz page
      loop again
      xor eax, eax
      out 0xf4, eax
      hlt
    `;
    const { counts, exit } = run(flat(touch));
    expect(exit).toEqual({ reason: "halted", value: 0 });
    const violations = countAt(counts, "exits.ept-violation");
    expect(violations).toBeGreaterThanOrEqual(10);
    expect(violations).toBeLessThan(20);
  });
});

describe("the guest's processor", () => {
  test("has no VMX: CPUID and CR4 do not show it, CR4.VMXE cannot be set, and VMXOFF is undefined", () => {
    // Bit 0: CPUID; bit 1: CR4. Then the faults in order, 4 bits each: 13 for CR4.VMXE, 6 for VMXOFF.
    const { exit } = run(
      flat(`
        ${handlers({ 6: "undefined_opcode", 13: "protection" })}
        xor ebp, ebp
        mov eax, 1
        cpuid
        shr ecx, 5
        and ecx, 1
        or ebp, ecx
        mov rax, cr4
        shr eax, 12
        and eax, 2
        or ebp, eax
        mov rax, cr4
        or eax, 0x2000
        mov cr4, rax
        db 0x0f, 0x01, 0xc4
        mov eax, ebp
        out 0xf4, eax
        hlt
      undefined_opcode:
        shl ebp, 4
        or ebp, 0x60
        add qword [rsp], 3
        iretq
      protection:
        shl ebp, 4
        or ebp, 0xd0
        add rsp, 8
        add qword [rsp], 3
        iretq
      `),
    );
    expect(exit).toEqual({ reason: "halted", value: 0xd60 });
  });

  test("crashes alone when a guest breaks it, with the guest's registers", () => {
    const { exit } = run(
      flat("xor eax, eax\n push rax\n push rax\n lidt [rsp]\n mov ebx, 0x1234\n ud2"),
    );
    expect(exit).toMatchObject({ reason: "crashed", registers: { rbx: 0x1234n } });
  });
});

describe("counts and trace", () => {
  test("price every constant of a hypervisor", () => {
    const rare = run(
      flat(`
        mov eax, 1
        cpuid
        mov rbx, 0xfee00030
        mov eax, [rbx]
        in al, 0x80
        xor eax, eax
        out 0xf4, eax
        hlt
      `),
    ).counts;
    const names = pentium4.constants
      .flatMap(({ prices }) => (prices.kind === "counts" ? prices.names : []))
      .filter((name) =>
        /^(?:entries|exits|monitor\.(?:entries|vm|guest|table|emulated))/u.test(name),
      );
    const missing = names.filter((name) => countAt(rare, name) === 0);
    // On extended page tables the guest's exceptions are its own.
    expect(missing).toEqual(["exits.exception-or-nmi"]);
    const { transitionCycles, monitorCycles } = price(rare, pentium4);
    expect(transitionCycles).toBeGreaterThan(0);
    expect(monitorCycles).toBeGreaterThan(0);
  });

  test("tell each exit to a listener, by the name under which it is counted", () => {
    const seen: string[] = [];
    const { counts } = run(nano("in"), { "monitor-entry": ({ why }) => void seen.push(why) });
    expect(seen).toHaveLength(countAt(counts, "exits"));
    const ports = seen.filter((why) => why === "io-instruction");
    expect(ports).toHaveLength(countAt(counts, "exits.io-instruction"));
  });
});

test("kernels that start without paging are for EPT; without it they are refused, with the reason", () => {
  const guest: Guest = { ...nano("divzero"), format: "pvh" };
  expect(vtx.accepts(guest)).toEqual({ accepted: true });
  expect(run(guest).exit).toEqual({ reason: "halted", value: 0 });
  expect(vtxShadow.accepts(guest)).toMatchObject({
    accepted: false,
    reason: expect.stringContaining("unrestricted"),
  });
});
