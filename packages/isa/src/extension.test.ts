/** A tiny extension that uses every hook: an instruction, intercepts, events, a second stage, MSRs, a TLB tag, state. */
import { describe, expect, test } from "vitest";
import { opcodes, type Instruction } from "./dsl.ts";
import { requireSupervisor } from "./exceptions/mode.ts";
import {
  extensionSlot,
  type ExtensionContext,
  type ExtensionEvent,
  type ProcessorExtension,
} from "./extension.ts";
import {
  ACCESS_TABLE,
  ACCESS_WRITE,
  DENY_SUPERVISOR_WRITE,
  DENY_USER_WRITE,
} from "./paging/tag.ts";
import type { Routine } from "./semantics.ts";
import {
  ADDRESS,
  arrived,
  halted,
  KernelBench,
  PTE,
  type Outcome,
} from "./testing/kernel-bench.ts";

const ticks = extensionSlot(0, 8);
/** 1 while CPUID exits, #DE is taken, and the second stage is on. */
const active = extensionSlot(8, 8);
const violation = extensionSlot(16, 8);
const lengthSlot = extensionSlot(24, 8);

const EXIT_CPUID = 10;
const EXIT_VIOLATION = 48;
/** Where the second stage puts guest-physical address 0. */
const OFFSET = 0x20_0000;
/** The second stage lets nothing write here. */
const READ_ONLY = 0x10_0000;

/** TICK: RAX = how often it was executed. Privileged. */
const tick: Instruction = {
  mnemonic: "tick",
  reference: "the test extension",
  classification: { privilege: "cpl0", sensitive: "control", why: "It counts." },
  counted: true,
  encodings: opcodes`
    Opcode   | Instruction |
    0F 01 C8 | TICK        |
  `,
  semantics(m) {
    requireSupervisor(m);
    const next = m.add(m.state(ticks), m.constant(1), 64);
    m.setState(ticks, next);
    m.setRegister(0, next, 64);
    m.helper("ticked", [m.toI32(next)]);
  },
};

const secondStage: Routine = {
  name: "offsetStage",
  parameters: ["i64", "i64"],
  result: "i64",
  raises: true,
  body(m, ...[guest, access]) {
    if (guest === undefined || access === undefined)
      throw new RangeError("A second stage takes two parameters.");
    const page = m.and(guest, m.constant(~0xfffn));
    const result = m.variable(page);
    m.when(m.state(active), () => {
      m.count("secondStage");
      const isReadOnly = m.equal(page, m.constant(READ_ONLY));
      m.when(m.both(isReadOnly, m.and(access, m.constant(ACCESS_WRITE))), () => {
        m.setState(violation, m.or(guest, m.and(access, m.constant(ACCESS_TABLE))));
        m.raise("EXIT", m.constant(EXIT_VIOLATION));
      });
      const denied = m.select(
        isReadOnly,
        m.constant(DENY_SUPERVISOR_WRITE | DENY_USER_WRITE),
        m.constant(0),
      );
      m.set(result, m.or(m.add(page, m.constant(OFFSET)), denied));
    });
    return m.get(result);
  },
};

/** What the extension saw on one processor. */
interface Seen {
  readonly context: ExtensionContext;
  readonly exits: (readonly [number, ExtensionEvent | undefined])[];
  readonly events: ExtensionEvent[];
  readonly ticked: number[];
  /** Machine times at which it was asked. */
  readonly boundaries: number[];
}

/** Of the processor made last. */
let latest: Seen | undefined;

const extension: ProcessorExtension = {
  id: "tick",
  instructions: [tick],
  intercept(instruction) {
    if (instruction.mnemonic !== "cpuid") return undefined;
    return (m) => {
      m.when(m.state(active), () => {
        m.setState(lengthSlot, m.subtract(m.nextRip(), m.thisRip(), 64));
        m.raise("EXIT", m.constant(EXIT_CPUID));
      });
    };
  },
  secondStage,
  attach(context) {
    const seen: Seen = { context, exits: [], events: [], ticked: [], boundaries: [] };
    latest = seen;
    const { state } = context;
    return {
      exit(reason, delivering) {
        seen.exits.push([reason, delivering]);
        if (reason !== EXIT_CPUID) return { leave: { violation: state.get(violation) } };
        state.rax = 0x7e57n;
        state.rip += state.get(lengthSlot);
        return "continue";
      },
      event(event) {
        if (state.get(active) === 0n) return "deliver";
        seen.events.push(event);
        return event.kind === "exception" && event.vector === 0
          ? { leave: "divided by zero" }
          : "deliver";
      },
      boundary() {
        seen.boundaries.push(context.now());
        return "deliver";
      },
      msrs: {
        read: (index) => (index === 0x480 ? 0x1234n : undefined),
        write: (index) => (index === 0x480 ? false : undefined),
      },
      helpers: { ticked: (count) => void seen.ticked.push(count ?? 0) },
    };
  },
};

function bench(): Seen & {
  readonly on: KernelBench;
  activate(): void;
  start(text: string): Outcome;
} {
  const on = new KernelBench({ extensions: [extension] });
  if (latest === undefined) throw new Error("The extension was not attached.");
  return {
    ...latest,
    on,
    /** Copies the guest's low memory to where the second stage looks for it, and switches it on. */
    activate() {
      on.memory.physical.copy(0, OFFSET, OFFSET);
      on.state.set(active, 1n);
      this.context.flushTlb();
    },
    start(text) {
      on.load(ADDRESS.code, text);
      on.enter();
      this.activate();
      return on.go();
    },
  };
}

describe("A processor extension", () => {
  test("adds an instruction with state and helpers of its own", () => {
    const { on, ticked } = bench();
    halted(on.run("db 0x0f, 0x01, 0xc8\ndb 0x0f, 0x01, 0xc8\nhlt"));
    expect([on.state.rax, on.state.get(ticks)]).toEqual([2n, 2n]);
    expect(ticked).toEqual([1, 2]);
    expect(on.processor.counts()["instructions.tick"]).toBe(2);
    expect(arrived(on.run("db 0x0f, 0x01, 0xc8", { cpl: 3 })).vector).toBe(13);
  });

  test("does not add it to processors without the extension", () => {
    expect(arrived(new KernelBench().run("db 0x0f, 0x01, 0xc8")).vector).toBe(6);
  });

  test("intercepts an instruction while it is active, and goes on behind it", () => {
    const made = bench();
    halted(made.start("mov eax, 1\ncpuid\nmov ebx, 5\nhlt"));
    expect([made.on.state.rax, made.on.state.rbx]).toEqual([0x7e57n, 5n]);
    expect(made.exits).toEqual([[EXIT_CPUID, undefined]]);
    halted(made.on.run("mov eax, 0\ncpuid\nhlt"));
    expect(made.on.state.rax).toBe(0x15n);
    expect(made.exits.length).toBe(1);
  });

  test("takes an event before it is delivered, and returns from the run with a value", () => {
    const made = bench();
    expect(made.start("xor ecx, ecx\ndiv ecx")).toEqual({
      kind: "exit",
      exit: { reason: "extension", id: "tick", value: "divided by zero" },
    });
    expect(made.on.state.rip).toBe(BigInt(ADDRESS.code + 2));
    expect(made.on.state.rsp).toBe(BigInt(ADDRESS.kernelStack - 0x1000));
  });

  test("sees an interrupt whatever IF is, and lets others through", () => {
    const made = bench();
    made.on.load(ADDRESS.code, "nop\nud2");
    made.on.enter();
    made.activate();
    made.on.processor.setInterruptRequest(true);
    expect(made.on.processor.run(1)).toEqual({ reason: "limit" });
    // Asked at each turn of the driver, so perhaps more than once.
    expect(made.events.length).toBeGreaterThan(0);
    expect(new Set(made.events.map(({ kind }) => kind))).toEqual(new Set(["interrupt"]));
    arrived(made.on.go());
    expect(made.events).toContainEqual({
      kind: "exception",
      vector: 6,
      errorCode: undefined,
      linear: 0n,
    });
  });

  test("translates data, code and page tables by a second stage", () => {
    const made = bench();
    const { physical } = made.on.memory;
    physical.writeU64(ADDRESS.data, 1n);
    halted(made.start(`inc qword ptr [${ADDRESS.data}]\nhlt`));
    expect([physical.readU64(ADDRESS.data), physical.readU64(OFFSET + ADDRESS.data)]).toEqual([
      1n,
      2n,
    ]);
    // A and D went to the copy of the tables, too.
    expect(physical.readU64(ADDRESS.directory) & (PTE.A | PTE.D)).toBe(0n);
    expect(physical.readU64(OFFSET + ADDRESS.directory) & (PTE.A | PTE.D)).toBe(PTE.A | PTE.D);
    const counts = made.on.processor.counts();
    // Two TLB misses of three levels each, every reference translated, and the pages themselves.
    expect([counts["walks"], counts["walkReferences"]]).toEqual([2, 6]);
    expect(counts["secondStage"]).toBeGreaterThanOrEqual(8);
  });

  test("leaves on a violation of the second stage with the instruction not done", () => {
    const made = bench();
    const outcome = made.start(`mov rax, [${READ_ONLY}]\nmov [${READ_ONLY + 8}], rax\nhlt`);
    expect(outcome).toEqual({
      kind: "exit",
      exit: { reason: "extension", id: "tick", value: { violation: BigInt(READ_ONLY + 8) } },
    });
    expect(made.on.state.rip).toBe(BigInt(ADDRESS.code + 8));
  });

  test("says which event was being delivered when its stack was the violation", () => {
    const made = bench();
    made.start(`mov rsp, ${READ_ONLY + 0x100}\nud2`);
    expect(made.exits).toEqual([
      [EXIT_VIOLATION, { kind: "exception", vector: 6, errorCode: undefined, linear: 0n }],
    ]);
  });

  test("answers MSRs before the processor", () => {
    const { on } = bench();
    halted(on.run("mov ecx, 0x480\nrdmsr\nhlt"));
    expect(on.state.rax).toBe(0x1234n);
    expect(arrived(on.run("mov ecx, 0x480\nwrmsr")).vector).toBe(13);
  });

  test("keeps translations of each TLB tag apart", () => {
    const made = bench();
    const page = ADDRESS.pages;
    const { physical } = made.on.memory;
    physical.writeU64(page, 1n);
    physical.writeU64(page + 0x1000, 2n);
    made.on.load(ADDRESS.code, `mov rax, [${page}]\nhlt\njmp $-9`);
    made.on.enter();
    made.on.setPage(page, PTE.P);
    const read = (tag: number): bigint => {
      made.context.selectTlb(tag);
      made.on.wake();
      halted(made.on.go());
      return made.on.state.rax;
    };
    expect(read(0)).toBe(1n);
    physical.writeU64(ADDRESS.pageTable, BigInt(page + 0x1000) | PTE.P);
    expect([read(1), read(0), read(1)]).toEqual([2n, 1n, 2n]);
    made.context.flushTlb(0);
    expect([read(0), read(1)]).toEqual([2n, 2n]);
  });

  test("injects an event before the next instruction", () => {
    const made = bench();
    made.on.load(ADDRESS.code, "hlt");
    made.on.enter();
    made.context.inject({ kind: "software", vector: 0x80, returnRip: BigInt(ADDRESS.code + 2) });
    expect(arrived(made.on.go())).toMatchObject({
      vector: 0x80,
      frame: { rip: BigInt(ADDRESS.code + 2) },
    });
    made.on.enter();
    made.context.inject({ kind: "exception", vector: 13, errorCode: 0x28 });
    expect(arrived(made.on.go())).toMatchObject({
      vector: 13,
      frame: { errorCode: 0x28, rip: BigInt(ADDRESS.code) },
    });
  });

  test("is asked at the unit that it wakes at, and at each boundary that it watches", () => {
    const made = bench();
    made.on.load(ADDRESS.code, "again:\ninc rax\njmp again");
    made.on.enter();
    made.context.wakeAt(made.context.now() + 100);
    const due = made.context.now() + 100;
    made.on.go(50);
    expect(made.boundaries).toEqual([]);
    made.on.go(100);
    // Until it wakes at another time, each turn of the driver asks again.
    expect(made.boundaries[0]).toBe(due);
    made.context.wakeAt(undefined);
    const asked = made.boundaries.length;
    made.on.go(10);
    expect(made.boundaries.length).toBe(asked);
    made.context.watchBoundaries(true);
    made.on.go(10);
    expect(made.boundaries.length).toBeGreaterThan(asked);
  });

  test("has its state cleared by RESET", () => {
    const { on } = bench();
    on.state.set(ticks, 5n);
    on.processor.reset();
    expect(on.state.get(ticks)).toBe(0n);
  });

  test("refuses a field outside its area", () => {
    expect(() => extensionSlot(512, 8)).toThrow(
      "An extension's field of 8 bytes cannot lie at 512.",
    );
    expect(() => extensionSlot(4, 8)).toThrow(RangeError);
  });
});
