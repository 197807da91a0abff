/**
 * What CPUID tells a guest: the answers of a processor with the hypervisor's own profile for it.
 *
 * The instruction is executed on a virtual processor that has no memory but these two bytes, so that the answers are
 * those of the instruction table and not a second list.
 */
import { noAccessors, VirtualProcessor, type ProcessorProfile } from "@ringside/isa";

export interface CpuidAnswer {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

const codeBase = 0x1000;
const code = Uint8Array.of(0x0f, 0xa2);

export class ProcessorIdentity {
  readonly #processor: VirtualProcessor;

  /** @param readMsr The guest's registers outside the core; some features are reported only as these allow. */
  constructor(profile: ProcessorProfile, readMsr: (index: number) => bigint | undefined) {
    this.#processor = new VirtualProcessor({
      profile,
      accessors: {
        ...noAccessors,
        readPhysical(physical, bytes) {
          for (let at = 0; at < bytes.length; at += 1) {
            bytes[at] = code[physical + at - codeBase] ?? 0;
          }
        },
        readMsr,
        writeMsr: () => false,
      },
    });
    this.#processor.state.enterProtectedMode32({ rip: codeBase });
  }

  /**
   * @param leaf EAX.
   * @param subleaf ECX.
   */
  cpuid(leaf: number, subleaf: number): CpuidAnswer {
    const { state } = this.#processor;
    state.rip = BigInt(codeBase);
    state.rax = BigInt(leaf >>> 0);
    state.rcx = BigInt(subleaf >>> 0);
    const { kind } = this.#processor.emulateOne();
    if (kind !== "retired")
      throw new Error(`Bug in ringside: CPUID gave a ${kind}, please report.`);
    const low = (register: bigint): number => Number(register & 0xffff_ffffn);
    return {
      eax: low(state.rax),
      ebx: low(state.rbx),
      ecx: low(state.rcx),
      edx: low(state.rdx),
    };
  }
}
