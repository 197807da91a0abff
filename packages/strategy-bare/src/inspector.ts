/** A look at a bare machine: its registers and, through its own page tables, its memory. */
import { VirtualProcessor, type Processor } from "@ringside/isa";
import type { Inspector } from "@ringside/strategy";

const pageBytes = 4096;

export function inspectorOf(processor: Processor): Inspector {
  const { state } = processor;
  const { physical } = processor.memory;
  const walker = new Walker(processor);
  return {
    registers: () => ({
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
    }),
    translate: (linear) => walker.translate(linear),
    readMemory(linear, lengthBytes) {
      if (!(lengthBytes >= 0 && lengthBytes <= physical.sizeBytes)) return undefined;
      const bytes = new Uint8Array(lengthBytes);
      for (let done = 0; done < lengthBytes;) {
        const from = walker.translate(BigInt.asUintN(64, linear + BigInt(done)));
        if (from === undefined) return undefined;
        const part = Math.min(lengthBytes - done, pageBytes - (from % pageBytes));
        bytes.set(physical.read(from, part), done);
        done += part;
      }
      return bytes;
    },
  };
}

/** Walks the machine's page tables by the processor's own rules, and leaves no trace in them. */
class Walker {
  readonly #processor: Processor;
  /** Made when somebody looks for the first time. */
  #virtual: VirtualProcessor | undefined;

  constructor(processor: Processor) {
    this.#processor = processor;
  }

  /** The physical address, or undefined where nothing is mapped or no memory is behind it. */
  translate(linear: bigint): number | undefined {
    const { state, memory } = this.#processor;
    this.#virtual ??= this.#make();
    for (const name of ["cr0", "cr3", "cr4", "efer"] as const) {
      this.#virtual.state.setControl(name, state[name]);
    }
    const result = this.#virtual.walk(linear, {});
    if (result.kind === "fault" || result.physical >= memory.physical.sizeBytes) return undefined;
    return result.physical;
  }

  #make(): VirtualProcessor {
    const { physical } = this.#processor.memory;
    const nothing = (): void => {};
    return new VirtualProcessor({
      accessors: {
        readPhysical: (at, bytes) => {
          const inside = at + bytes.length <= physical.sizeBytes;
          bytes.set(inside ? physical.read(at, bytes.length) : new Uint8Array(bytes.length));
        },
        // A walk would set accessed bits, and a look must not.
        writePhysical: nothing,
        readPort: () => 0,
        writePort: nothing,
        readTaskPriority: () => 0,
        writeTaskPriority: nothing,
        invalidatePage: nothing,
        flushTlb: nothing,
        now: () => 0,
      },
    });
  }
}
