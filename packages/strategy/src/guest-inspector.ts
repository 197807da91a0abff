/** A look at a guest: its registers and, through its own page tables, its memory. Counts no work and leaves no trace. */
import { noAccessors, VirtualProcessor, type ProcessorState } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import type { Registers } from "./exit.ts";
import type { Inspector } from "./virtual-machine.ts";

/** The registers that decide how a guest translates addresses. */
export type TranslationControls = Pick<ProcessorState, "cr0" | "cr3" | "cr4" | "efer">;

/** Guest-physical memory, to look at; `GuestMemory` of `@ringside/hypervisor` is one. */
export interface InspectedMemory {
  readonly sizeBytes: number;
  /** True for addresses of the guest's RAM. */
  isRam(physical: number): boolean;
  /** A copy, or a view that is valid until the guest runs again; the range is RAM and lies in one page. */
  peek(physical: number, lengthBytes: number): Uint8Array;
}

export interface InspectedGuest {
  readonly memory: InspectedMemory;
  registers(): Registers;
  controls(): TranslationControls;
}

/** The registers that an {@link Inspector} shows of a guest that is on this processor. */
export function shownRegisters(state: ProcessorState): Registers {
  return {
    ...state.registers(),
    cr0: state.cr0,
    cr2: state.cr2,
    cr3: state.cr3,
    cr4: state.cr4,
    efer: state.efer,
    cs: BigInt(state.segment("cs").selector),
    ss: BigInt(state.segment("ss").selector),
    fs_base: state.fsBase,
    gs_base: state.gsBase,
    cpl: BigInt(state.cpl),
  };
}

export class GuestInspector implements Inspector {
  readonly #guest: InspectedGuest;
  /** Made when somebody looks for the first time. */
  #walker: VirtualProcessor | undefined;

  constructor(guest: InspectedGuest) {
    this.#guest = guest;
  }

  registers(): Registers {
    return this.#guest.registers();
  }

  translate(linear: bigint): number | undefined {
    this.#walker ??= this.#makeWalker();
    const controls = this.#guest.controls();
    for (const name of ["cr0", "cr3", "cr4", "efer"] as const) {
      this.#walker.state.setControl(name, controls[name]);
    }
    const result = this.#walker.walk(linear, {});
    if (result.kind === "fault" || !this.#guest.memory.isRam(result.physical)) return undefined;
    return result.physical;
  }

  readMemory(linear: bigint, lengthBytes: number): Uint8Array | undefined {
    const { memory } = this.#guest;
    if (!(lengthBytes >= 0 && lengthBytes <= memory.sizeBytes)) return undefined;
    const bytes = new Uint8Array(lengthBytes);
    for (let done = 0; done < lengthBytes;) {
      const from = this.translate(BigInt.asUintN(64, linear + BigInt(done)));
      if (from === undefined) return undefined;
      const part = Math.min(lengthBytes - done, frameBytes - (from % frameBytes));
      bytes.set(memory.peek(from, part), done);
      done += part;
    }
    return bytes;
  }

  #makeWalker(): VirtualProcessor {
    return new VirtualProcessor({
      accessors: {
        // A walk would set accessed bits, and a look must not.
        ...noAccessors,
        readPhysical: (gpa, bytes) => {
          const { memory } = this.#guest;
          if (memory.isRam(gpa)) bytes.set(memory.peek(gpa, bytes.length));
          else bytes.fill(0);
        },
      },
    });
  }
}
