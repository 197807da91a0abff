/** Programs at CPL 3 of a real processor, on shadows of tables that the guest itself changes. */
import {
  assemble,
  defaultProfile,
  HostMemory,
  Processor,
  segmentSlots,
  slots,
  type ProcessorState,
} from "@ringside/isa";
import { Board, FrameAllotter } from "@ringside/machine";
import { describe, expect, test } from "vitest";
import { GuestDevices } from "../guest-devices.ts";
import { GuestMemory } from "../guest-memory.ts";
import { InstructionEmulator } from "../instruction-emulator.ts";
import { MonitorWork } from "../monitor-work.ts";
import { ShadowMmu, type ShadowFault } from "./shadow-mmu.ts";

const sizeBytes = 8 << 20;
const [pml4, pdpt, directory, pageTable] = [0x1000, 0x2000, 0x3000, 0x4000] as const;
const otherTop = 0x6000;
/** Of an address space with nothing in it. */
const emptyTop = 0x7000;
const code = 0x40_0000;
const data = 0x40_1000;
/** Where the guest finds its own page table. */
const tableWindow = 0x40_2000;
const largeBase = 0x60_0000;

const table = 7n;
const user = { readOnly: 0x5n, writable: 0x7n, large: 0x87n } as const;

class Setup {
  readonly work: MonitorWork = new MonitorWork();
  readonly guest: GuestMemory;
  readonly mmu: ShadowMmu;
  readonly processor: Processor;
  readonly faults: ShadowFault[] = [];
  cr3 = BigInt(pml4);
  cr0 = 0x8001_0033n;
  readonly #emulator: InstructionEmulator;

  constructor(source: string, tableFrames = 32) {
    const memory = HostMemory.create({ physicalBytes: 2 * sizeBytes, codeCacheBytes: 1 << 20 });
    const frames = new FrameAllotter({ base: 0, sizeBytes: 2 * sizeBytes });
    const shadows = Array.from({ length: tableFrames }, () => frames.allot() ?? 0);
    this.guest = new GuestMemory({ memory, frames, sizeBytes, work: this.work });
    const nothing = (): void => {};
    this.processor = new Processor({
      memory,
      delivery: "monitor",
      ports: { read: () => 0, write: nothing },
      interrupts: {
        acknowledge: () => 0,
        readTaskPriority: () => 0,
        writeTaskPriority: nothing,
      },
    });
    this.mmu = new ShadowMmu({
      memory,
      guest: this.guest,
      work: this.work,
      tableFrames: shadows,
      flushTlb: () => this.processor.flushTlb(true),
    });
    this.guest.onWritten = (gpa, lengthBytes) => this.mmu.written(gpa, lengthBytes);
    const board = new Board({
      clock: { now: 0 },
      memoryBytes: sizeBytes,
      epochSeconds: 0,
      onExit: nothing,
    });
    this.#emulator = new InstructionEmulator({
      profile: defaultProfile,
      devices: new GuestDevices(board, this.guest),
      work: this.work,
      now: () => 0,
      invalidatePage: nothing,
      flushTlb: nothing,
    });
    for (const top of [pml4, otherTop]) this.entry(top, 0, BigInt(pdpt) | table);
    this.entry(pdpt, 0, BigInt(directory) | table);
    this.entry(directory, 2, BigInt(pageTable) | table);
    this.entry(directory, 3, 0x40_0000n | user.large);
    this.entry(pageTable, 0, 0x1_0000n | user.readOnly);
    this.entry(pageTable, 1, 0x1_1000n | user.writable);
    this.entry(pageTable, 2, BigInt(pageTable) | user.writable);
    this.guest.bootTarget.write(
      0x1_0000,
      assemble(`${source}\n int 0x80`, { address: BigInt(code) }).bytes,
    );
  }

  entry(at: number, index: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value, true);
    this.guest.bootTarget.write(at + index * 8, bytes);
  }

  read(gpa: number): bigint {
    return new DataView(this.guest.peek(gpa, 8).buffer).getBigUint64(0, true);
  }

  /** Runs to the program's `int 0x80`, or gives the page fault that is the guest's own. */
  run(): Extract<ShadowFault, { kind: "true" | "device" }> | "done" {
    const { state } = this.processor;
    state.enterLongMode({
      cpl: 3,
      cr3: this.mmu.root(this.cr3),
      rip: BigInt(code),
      rsp: BigInt(data + 0x1000),
    });
    state.setControl("cr3", BigInt(this.mmu.root(this.cr3)));
    for (let turn = 0; turn < 1000; turn += 1) {
      const exit = this.processor.run(10_000);
      if (exit.reason !== "event") throw new Error(`left for its ${exit.reason}`);
      if (exit.event.kind === "software-interrupt") return "done";
      if (exit.event.kind !== "exception" || exit.event.vector !== 14)
        throw new Error("not a page fault");
      const { errorCode = 0, linear } = exit.event;
      const access = {
        write: (errorCode & 2) !== 0,
        user: (errorCode & 4) !== 0,
        execute: (errorCode & 16) !== 0,
      };
      const controls = { cr0: this.cr0, cr3: this.cr3, cr4: state.cr4, efer: state.efer };
      const fault = this.mmu.fault(controls, linear, access);
      this.faults.push(fault);
      if (fault.kind === "true" || fault.kind === "device") return fault;
      if (fault.kind === "traced") {
        this.#emulate(state);
      }
      state.setControl("cr3", BigInt(this.mmu.root(this.cr3)));
    }
    throw new Error("faults without end");
  }

  #emulate(physical: ProcessorState): void {
    this.#emulator.emulate({
      load: (state) => {
        state.enterLongMode({ cpl: 3, cr3: Number(this.cr3), rip: 0n, rsp: 0n });
        state.loadContext(physical.saveContext());
        for (const segment of [1, 2]) {
          const { attributes } = segmentSlots(segment);
          state.set(attributes, physical.get(attributes));
        }
        state.set(slots.cpl, 3n);
        state.setControl("cr0", this.cr0);
      },
      store: (state) => physical.loadContext(state.saveContext()),
    });
  }

  kinds(): string[] {
    return this.faults.map(({ kind }) => kind);
  }
}

describe("shadow paging", () => {
  test("makes translations at hidden faults, once each, and sets the guest's A and D flags", () => {
    const guest = new Setup(`
      mov ecx, 1000
    again:
      mov [${data}], ecx
      loop again
      mov eax, [${data}]
    `);
    expect(guest.run()).toBe("done");
    expect(guest.processor.state.rax).toBe(1n);
    expect(guest.kinds()).toEqual(["hidden", "hidden"]);
    expect(guest.read(pageTable) & 0x60n).toBe(0x20n);
    expect(guest.read(pageTable + 8) & 0x60n).toBe(0x60n);
    expect(guest.read(0x1_1000)).toBe(1n);
  });

  test("makes a page writable only when the guest's D flag is set", () => {
    const guest = new Setup(`mov eax, [${data}]\n mov [${data}], eax`);
    expect(guest.run()).toBe("done");
    expect(guest.kinds()).toEqual(["hidden", "hidden", "hidden"]);
  });

  test("forwards the faults that are the guest's, with its error code", () => {
    expect(new Setup("mov rax, [0x405000]").run()).toEqual({
      kind: "true",
      vector: 14,
      errorCode: 4,
    });
    expect(new Setup(`mov [${code}], eax`).run()).toEqual({
      kind: "true",
      vector: 14,
      errorCode: 7,
    });
  });

  test("sees the guest's writes to its own page table: a page moves under running code", () => {
    const guest = new Setup(`
      mov rax, 0x1111
      mov [${data}], rax
      mov rbx, ${0x1_2000n | user.writable}
      mov [${tableWindow + 8}], rbx
      mov rax, 0x2222
      mov [${data}], rax
      mov rbx, ${0x1_1000n | user.writable}
      mov [${tableWindow + 8}], rbx
      mov rax, [${data}]
    `);
    expect(guest.run()).toBe("done");
    expect(guest.processor.state.rax).toBe(0x1111n);
    expect([guest.read(0x1_1000), guest.read(0x1_2000)]).toEqual([0x1111n, 0x2222n]);
    expect(guest.kinds().filter((kind) => kind === "traced")).toHaveLength(2);
  });

  test("takes a mapping away with the guest's entry", () => {
    const guest = new Setup(`
      mov rax, [${data}]
      mov qword [${tableWindow + 8}], 0
      mov rax, [${data}]
    `);
    expect(guest.run()).toEqual({ kind: "true", vector: 14, errorCode: 4 });
  });

  test("splinters large pages", () => {
    const guest = new Setup(`
      mov edx, 0x77
      mov [${largeBase}], edx
      mov [${largeBase + 0x1f_f000}], edx
      mov eax, [${largeBase + 0x1f_f000}]
    `);
    expect(guest.run()).toBe("done");
    expect(guest.processor.state.rax).toBe(0x77n);
    expect([guest.read(0x40_0000), guest.read(0x5f_f000)]).toEqual([0x77n, 0x77n]);
  });

  test("shares tables between address spaces, and keeps shadows over a switch", () => {
    const guest = new Setup(`mov eax, [${data}]`);
    expect(guest.run()).toBe("done");
    const tables = guest.mmu.tableCount;
    guest.cr3 = BigInt(otherTop);
    expect(guest.run()).toBe("done");
    // A root of its own, and all below is there already.
    expect(guest.mmu.tableCount).toBe(tables + 1);
    guest.faults.length = 0;
    guest.cr3 = BigInt(pml4);
    expect(guest.run()).toBe("done");
    expect(guest.faults).toEqual([]);
  });

  test("lets go of a table that the guest uses for something else", () => {
    const guest = new Setup(`
      mov rbx, ${BigInt(pageTable) | user.writable}
      mov eax, [${largeBase}]
    `);
    expect(guest.run()).toBe("done");
    expect(guest.mmu.isTraced(pageTable)).toBe(true);
    const write = (): void => {
      for (let index = 0; index < 5; index += 1)
        guest.mmu.written(pageTable + 0x100 + index * 8, 8);
    };
    write();
    expect(guest.mmu.isTraced(pageTable)).toBe(true);
    // Once the processor is elsewhere, nobody uses it as a table.
    guest.mmu.root(BigInt(emptyTop));
    write();
    expect(guest.mmu.isTraced(pageTable)).toBe(false);
    // And takes it back when it is used as a table again.
    expect(guest.run()).toBe("done");
    expect(guest.mmu.isTraced(pageTable)).toBe(true);
  });

  test("looks once at each table above one that is written, however many ways lead there", () => {
    // Four tables, and all 512 entries of three lead to the next: a walk of every way takes many seconds.
    const guest = new Setup("nop");
    const [top, third, second, last] = [0x20_0000, 0x20_1000, 0x20_2000, 0x20_3000] as const;
    for (let index = 0; index < 512; index += 1) {
      guest.entry(top, index, BigInt(third) | table);
      guest.entry(third, index, BigInt(second) | table);
      guest.entry(second, index, BigInt(last) | table);
    }
    guest.entry(last, 0, 0x1_1000n | user.writable);
    const controls = { cr0: guest.cr0, cr3: BigInt(top), cr4: 0x620n, efer: 0xd01n };
    const read = { write: false, user: true, execute: false };
    guest.mmu.root(controls.cr3);
    for (const shift of [21n, 30n, 39n]) {
      for (let index = 0n; index < 512n; index += 1n) {
        const linear = BigInt.asUintN(64, BigInt.asIntN(48, index << shift));
        expect(guest.mmu.fault(controls, linear, read)).toEqual({ kind: "hidden" });
      }
    }
    guest.mmu.root(BigInt(emptyTop));
    for (let write = 0; write < 4; write += 1) guest.mmu.written(last + 0xff8, 8);
    expect(guest.mmu.isTraced(last)).toBe(false);
  }, 5000);

  test("forgets who could write frames when a guest moves its pages for ever", () => {
    const tableFrames = 8;
    const guest = new Setup("nop", tableFrames);
    const controls = { cr0: guest.cr0, cr3: guest.cr3, cr4: 0x620n, efer: 0xd01n };
    const write = { write: true, user: true, execute: false };
    guest.mmu.root(controls.cr3);
    const [pages, frames] = [12, 1500] as const;
    let most = 0;
    for (let turn = 0; turn < pages * frames; turn += 1) {
      const index = 16 + (turn % pages);
      const frame = BigInt(0x10_0000 + Math.floor(turn / pages) * 0x1000);
      guest.entry(pageTable, index, frame | user.writable);
      const linear = BigInt(code + index * 0x1000);
      guest.mmu.fault(controls, linear, write);
      most = Math.max(most, guest.mmu.writerCount);
    }
    expect(most).toBe(tableFrames * 512 * 4);
  });

  test("starts over when its frames are used up, and the guest does not notice", () => {
    const source = Array.from(
      { length: 6 },
      (_, index) => `mov eax, [${largeBase} + ${index * 0x1000}]`,
    ).join("\n");
    const guest = new Setup(source, 8);
    for (let turn = 0; turn < 5; turn += 1) {
      guest.cr3 = BigInt(turn % 2 === 0 ? pml4 : otherTop);
      expect(guest.run()).toBe("done");
    }
  });

  test("lets a supervisor with CR0.WP = 0 write what is read-only, and nobody else", () => {
    const guest = new Setup("nop");
    guest.cr0 &= ~0x1_0000n;
    const controls = { cr0: guest.cr0, cr3: guest.cr3, cr4: 0x620n, efer: 0xd01n };
    const write = { write: true, user: false, execute: false };
    expect(guest.mmu.fault(controls, BigInt(code), write)).toEqual({ kind: "hidden" });
    expect(guest.mmu.fault(controls, BigInt(code), { ...write, user: true })).toMatchObject({
      kind: "true",
      errorCode: 7,
    });
    expect(
      guest.mmu.fault({ ...controls, cr0: guest.cr0 | 0x1_0000n }, BigInt(code), write),
    ).toMatchObject({ kind: "true", errorCode: 3 });
  });

  test("reports device memory as such", () => {
    const guest = new Setup(`mov eax, [${data}]`);
    guest.entry(pageTable, 1, 0xfee0_0000n | user.writable);
    expect(guest.run()).toEqual({ kind: "device", gpa: 0xfee0_0000 });
  });
});
