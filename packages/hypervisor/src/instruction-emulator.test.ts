import {
  assemble,
  defaultProfile,
  HostMemory,
  VECTOR,
  type Emulation,
  type ProcessorState,
} from "@ringside/isa";
import { Board, enterKernel, FrameAllotter, loadKernel } from "@ringside/machine";
import { describe, expect, test } from "vitest";
import { GuestDevices } from "./guest-devices.ts";
import { GuestMemory } from "./guest-memory.ts";
import { InstructionEmulator, type VirtualCpu } from "./instruction-emulator.ts";
import { MonitorWork } from "./monitor-work.ts";

const memoryBytes = 0x40_0000;

/** A guest at the first instruction of this code; its registers live in the emulator's processor alone. */
class Setup {
  readonly work: MonitorWork = new MonitorWork();
  readonly memory: GuestMemory;
  readonly board: Board;
  readonly debug: number[] = [];
  readonly #emulator: InstructionEmulator;
  readonly #begin: (state: ProcessorState) => void;
  #block: Uint8Array | undefined;

  constructor(source: string) {
    const host = HostMemory.create({ physicalBytes: 2 * memoryBytes, codeCacheBytes: 1 << 20 });
    this.memory = new GuestMemory({
      memory: host,
      frames: new FrameAllotter({ base: 0, sizeBytes: 2 * memoryBytes }),
      sizeBytes: memoryBytes,
      work: this.work,
    });
    this.board = new Board({
      clock: { now: 0 },
      memoryBytes,
      epochSeconds: 0,
      onDebug: (bytes) => this.debug.push(...bytes),
      onExit: () => {},
    });
    this.#emulator = new InstructionEmulator({
      profile: defaultProfile,
      devices: new GuestDevices(this.board, this.memory),
      work: this.work,
      now: () => 0,
      invalidatePage: () => {},
      flushTlb: () => {},
    });
    const { bytes } = assemble(source, { address: 0x10_0000n });
    const entry = loadKernel(this.memory.bootTarget, memoryBytes, {
      image: bytes,
      format: "flat",
      commandLine: "",
    });
    this.#begin = (state) => enterKernel(state, entry);
  }

  /** Emulates one instruction after `set`, and gives the state that came back. */
  step(set: (state: ProcessorState) => void = () => {}): {
    readonly emulation: Emulation;
    readonly state: ProcessorState;
  } {
    const loaded: ProcessorState[] = [];
    const cpu: VirtualCpu = {
      load: (state) => {
        if (this.#block === undefined) this.#begin(state);
        else state.loadContext(this.#block);
        set(state);
        loaded.push(state);
      },
      store: (state) => {
        this.#block = state.saveContext();
      },
    };
    const emulation = this.#emulator.emulate(cpu);
    const [state] = loaded;
    if (state === undefined) throw new Error("nothing was loaded");
    return { emulation, state };
  }
}

describe("emulation of single instructions", () => {
  test("reads and writes registers of the local APIC", () => {
    const guest = new Setup("mov eax, [rbx + 0x30]\n mov dword [rbx + 0x80], 0x50");
    const first = guest.step((state) => {
      state.rbx = 0xfee0_0000n;
    });
    expect(first.state.rax & 0xffn).toBe(0x14n);
    guest.step();
    expect(guest.board.interrupts.readTaskPriority()).toBe(5);
    expect(guest.work.flat()["monitor.emulated.mov"]).toBe(2);
  });

  test("finds all ones where nothing is, and loses what is written there", () => {
    const guest = new Setup("mov rax, [rbx]\n mov [rbx], rcx");
    const { state } = guest.step((registers) => {
      registers.rbx = 0x8000_0000n;
    });
    expect(state.rax).toBe(0xffff_ffff_ffff_ffffn);
    expect(guest.step().emulation.kind).toBe("retired");
  });

  test("does one iteration of a string of port writes at a time", () => {
    const guest = new Setup("rep outsb");
    guest.memory.bootTarget.write(0x20_0000, Uint8Array.of(0x68, 0x69));
    const first = guest.step((state) => {
      state.rsi = 0x20_0000n;
      state.rcx = 2n;
      state.rdx = 0xe9n;
    });
    expect(first.state.rcx).toBe(1n);
    guest.step();
    guest.board.flush();
    expect(guest.debug).toEqual([0x68, 0x69]);
  });

  test("gives back a fault, and counts no emulated instruction", () => {
    const guest = new Setup("mov rax, [rbx]");
    const { emulation } = guest.step((state) => {
      state.rbx = 0x1_0000_0000n; // Above what the loader's tables map.
    });
    expect(emulation).toEqual({
      kind: "fault",
      vector: VECTOR.PF,
      errorCode: 0,
      linear: 0x1_0000_0000n,
    });
    expect(guest.work.flat()["monitor.emulated.mov"]).toBeUndefined();
  });
});
