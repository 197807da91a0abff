/**
 * What CPUID, RDMSR, WRMSR and RDTSC do in TypeScript: helpers that the rows call by name.
 *
 * Registers that belong to the interrupt controller (IA32_APIC_BASE, x2APIC) are asked of it first.
 */
import { slots, type Slot } from "../state/layout.ts";
import { readCpuid } from "./cpuid.ts";
import { readMsr, readTimestamp, writeMsr, type MsrContext } from "./msr.ts";

/** Model-specific registers that lie outside the processor core. */
export interface ForeignMsrs {
  /** @returns undefined when it has no such register. */
  read(index: number): bigint | undefined;
  /** @returns undefined when it has no such register, false when it refuses the value. */
  write(index: number, value: bigint): boolean | undefined;
}

/** What the helpers need of a processor. */
export interface SystemContext extends MsrContext {
  /** In the order in which they are asked: extensions, then the interrupt controller. */
  readonly foreignMsrs: readonly ForeignMsrs[];
  readonly apicId: number;
}

/** Helpers by the names that rows use. Parameters and results are 32-bit integers; 64-bit data goes through scratch0. */
export interface SystemHelpers {
  cpuid(): void;
  /** @returns 0, or 1 for #GP(0). */
  readMsr(index: number): number;
  /** @returns 0, or 1 for #GP(0). */
  writeMsr(index: number): number;
  readTimestamp(): void;
}

const IA32_APIC_BASE = 0x1b;
const APIC_GLOBAL_ENABLE = 1n << 11n;
const EAX: Slot = { offset: 0, bytes: 8 };
const ECX: Slot = { offset: 8, bytes: 8 };
const EDX: Slot = { offset: 16, bytes: 8 };
const EBX: Slot = { offset: 24, bytes: 8 };

/** Makes the helpers of one processor. */
export function systemHelpers(context: SystemContext): SystemHelpers {
  const { state } = context;
  const readForeign = (index: number): bigint | undefined => {
    for (const msrs of context.foreignMsrs) {
      const value = msrs.read(index);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  return {
    cpuid() {
      const apicBase = readForeign(IA32_APIC_BASE) ?? 0n;
      const leaf = Number(BigInt.asUintN(32, state.get(EAX)));
      const subleaf = Number(BigInt.asUintN(32, state.get(ECX)));
      const result = readCpuid(context.profile, leaf, subleaf, {
        apicEnabled: (apicBase & APIC_GLOBAL_ENABLE) !== 0n,
        in64BitMode: state.get(slots.mode) === 64n,
        apicId: context.apicId,
      });
      state.set(EAX, BigInt(result.eax));
      state.set(EBX, BigInt(result.ebx));
      state.set(ECX, BigInt(result.ecx));
      state.set(EDX, BigInt(result.edx));
    },
    readMsr(index) {
      const number = index >>> 0;
      const value = readForeign(number) ?? readMsr(context, number);
      if (value === undefined) return 1;
      state.set(slots.scratch0, value);
      return 0;
    },
    writeMsr(index) {
      const number = index >>> 0;
      const value = state.get(slots.scratch0);
      for (const msrs of context.foreignMsrs) {
        const accepted = msrs.write(number, value);
        if (accepted !== undefined) return accepted ? 0 : 1;
      }
      return writeMsr(context, number, value) ? 0 : 1;
    },
    readTimestamp() {
      state.set(slots.scratch0, readTimestamp(context));
    },
  };
}
