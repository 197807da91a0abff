/**
 * The breakpoints of the guest's own debug registers.
 *
 * They are found as a debugger's are (stop-points.ts): instructions by a record in front of them, data by pages that are
 * denied the fast way. So nothing is paid while DR7 enables nothing.
 *
 * Intel SDM Vol. 3B §18.2.4, "Debug Control Register (DR7)"; §18.2.5, "Breakpoint Field Recognition".
 */
import { CR4 } from "../profile/registers.ts";
import { slots, type Slot } from "../state/layout.ts";

const PAGE_SHIFT = 12n;
const PAGE_OFFSET = 0xfffn;
/** R/Wn: what a breakpoint waits for. */
const CONDITION = { EXECUTE: 0, WRITE: 1, PORT: 2, ACCESS: 3 } as const;
/** LENn: 1, 2, 8 and 4 bytes. */
const LENGTHS = [1n, 2n, 8n, 4n] as const;
const REGISTERS = [slots.dr0, slots.dr1, slots.dr2, slots.dr3] as const;
/** DR7 bits that enable breakpoints. */
const ENABLES = 0xffn;

interface Breakpoint {
  /** Its bit in DR6. */
  readonly bit: number;
  readonly condition: number;
  /** First address, a multiple of {@link lengthBytes}. */
  readonly first: bigint;
  readonly lengthBytes: bigint;
}

/** What is armed, from the registers as they were read last. */
export class DebugRegisters {
  #armed: readonly Breakpoint[] = [];
  #key = "";

  /** Reads the registers again. @returns whether something else is armed than before. */
  read(get: (slot: Slot) => bigint): boolean {
    const control = get(slots.dr7);
    if ((control & ENABLES) === 0n && this.#armed.length === 0) return false;
    const hasPorts = (get(slots.cr4) & CR4.DE) !== 0n;
    const armed: Breakpoint[] = [];
    for (const [index, register] of REGISTERS.entries()) {
      if (((control >> BigInt(index * 2)) & 3n) === 0n) continue;
      const fields = Number((control >> BigInt(16 + index * 4)) & 0xfn);
      const condition = fields & 3;
      // R/W 10 is undefined without CR4.DE.
      if (condition === CONDITION.PORT && !hasPorts) continue;
      const lengthBytes = condition === CONDITION.EXECUTE ? 1n : (LENGTHS[fields >> 2] ?? 1n);
      const first = get(register) & ~(lengthBytes - 1n);
      armed.push({ bit: 1 << index, condition, first, lengthBytes });
    }
    const key = armed.map(({ bit, condition, first, lengthBytes }) =>
      [bit, condition, first, lengthBytes].join(":"),
    );
    const changed = key.join() !== this.#key;
    this.#key = key.join();
    this.#armed = armed;
    return changed;
  }

  /** Offsets in a page at which instruction breakpoints lie. */
  get instructionOffsets(): readonly number[] {
    return this.#armed
      .filter(({ condition }) => condition === CONDITION.EXECUTE)
      .map(({ first }) => Number(first & PAGE_OFFSET));
  }

  get watchesData(): boolean {
    return this.#armed.some(({ condition }) => isData(condition));
  }

  watchesPage(linear: bigint): boolean {
    const page = linear >> PAGE_SHIFT;
    return this.#armed.some(
      ({ condition, first }) => isData(condition) && first >> PAGE_SHIFT === page,
    );
  }

  /** DR6 bits of the breakpoints that an instruction at this address meets. */
  hitByInstruction(linear: bigint): number {
    return this.#hits(
      ({ condition, first }) => condition === CONDITION.EXECUTE && first === linear,
    );
  }

  /** DR6 bits of those that an access to data meets. */
  hitByAccess(linear: bigint, lengthBytes: number, write: boolean): number {
    return this.#hits(
      (point) =>
        (point.condition === CONDITION.ACCESS || (write && point.condition === CONDITION.WRITE)) &&
        overlaps(point, linear, lengthBytes),
    );
  }

  /** DR6 bits of those that an access to ports meets. */
  hitByPort(port: number, lengthBytes: number): number {
    return this.#hits(
      (point) => point.condition === CONDITION.PORT && overlaps(point, BigInt(port), lengthBytes),
    );
  }

  #hits(meets: (point: Breakpoint) => boolean): number {
    return this.#armed.reduce((bits, point) => (meets(point) ? bits | point.bit : bits), 0);
  }
}

function isData(condition: number): boolean {
  return condition === CONDITION.WRITE || condition === CONDITION.ACCESS;
}

function overlaps(point: Breakpoint, first: bigint, lengthBytes: number): boolean {
  return first < point.first + point.lengthBytes && point.first < first + BigInt(lengthBytes);
}
