/**
 * An input for one instruction while it is put together.
 */
import type { MemoryArgument } from "../assembler/argument.ts";
import {
  DATA_ADDRESS,
  DATA_BYTES,
  FS_BASE,
  GS_BASE,
  initialRegisters,
  READ_ONLY_ADDRESS,
  READ_ONLY_BYTES,
  type Patch,
  type Registers,
} from "./machine.ts";
import type { Random } from "./random.ts";

/** Where a memory operand lies. */
export type Site =
  | "data"
  | "unmapped"
  /** Across the boundary of two pages of data. */
  | "crossing"
  /** Across the end of the data: nothing is mapped behind it. */
  | "straddling"
  /** Across the beginning of the data: nothing is mapped before it. */
  | "entering"
  | "read-only"
  /** Across the end of the page that can only be read: nothing is mapped behind it. */
  | "read-only-end"
  | "not-canonical"
  | "misaligned"
  /** In the lowest 64 KiB, which 16-bit addresses reach. Nothing is mapped there. */
  | "low";

const RSP = 4;

export class Draft {
  readonly mode: 32 | 64;
  readonly random: Random;
  readonly registers: Registers;
  readonly memory: Patch[] = [];
  /** Registers whose value something depends on. */
  readonly #taken = new Set<number>([RSP]);
  /** Registers that address something, and must not change any more. */
  readonly #pointers = new Set<number>([RSP]);

  constructor(mode: 32 | 64, random: Random) {
    this.mode = mode;
    this.random = random;
    this.registers = initialRegisters(mode);
  }

  /** Gives a general register a value and keeps it from being used as an address. */
  set(number: number, value: bigint): void {
    this.#taken.add(number);
    this.registers.general[number] = BigInt.asUintN(this.mode, value);
  }

  /** Puts `value` into the low `bits` of a register (16 to 19: AH to BH), and anything into the others. */
  setPart(number: number, bits: number, value: bigint): void {
    const shift = number >= 16 ? 8n : 0n;
    const at = number >= 16 ? number - 16 : number;
    if (this.#pointers.has(at)) return;
    const mask = ((1n << BigInt(bits)) - 1n) << shift;
    const old = this.#taken.has(at)
      ? (this.registers.general[at] ?? 0n)
      : this.random.bits(this.mode);
    this.set(at, (old & ~mask) | ((value << shift) & mask));
  }

  /** A register that may be an operand: any, but for the stack pointer, and the same one twice now and then. */
  anyRegister(bits: number): number {
    const count = this.mode === 64 ? 16 : 8;
    for (;;) {
      const number = this.random.below(count);
      if (bits === 8 && number < 4 && !this.#pointers.has(number) && this.random.oneIn(4))
        return number + 16;
      // Without REX the numbers 4 to 7 are the high bytes, which are 16 to 19 here.
      if (bits === 8 && this.mode === 32 && number >= 4) {
        if (!this.#pointers.has(number - 4)) return number + 12;
        continue;
      }
      if (this.#pointers.has(number)) continue;
      if (this.#taken.has(number) && !this.random.oneIn(8)) continue;
      return number;
    }
  }

  /** Keeps a register from being used as an address. */
  reserve(...numbers: number[]): void {
    for (const number of numbers) this.#taken.add(number);
  }

  #freeRegister(): number {
    for (;;) {
      const number = this.random.below(this.mode === 64 ? 16 : 8);
      if (!this.#taken.has(number)) return number;
    }
  }

  /** A place for `bytes` bytes. */
  place(site: Site, bytes: number, alignment: number): bigint {
    const { random } = this;
    const half = Math.max(bytes >> 1, 1);
    switch (site) {
      case "unmapped":
        return BigInt(DATA_ADDRESS + DATA_BYTES + 16 * random.below(16));
      case "crossing":
        return BigInt(DATA_ADDRESS + 0x1000 - 1 - random.below(Math.max(bytes - 1, 1)));
      case "straddling":
        return BigInt(DATA_ADDRESS + DATA_BYTES - half);
      case "entering":
        return BigInt(DATA_ADDRESS - half);
      case "read-only-end":
        return BigInt(READ_ONLY_ADDRESS + READ_ONLY_BYTES - half);
      case "read-only":
        return BigInt(READ_ONLY_ADDRESS + 16 * random.below(64));
      case "not-canonical":
        return 0x8000_0000_0000n + BigInt(16 * random.below(16));
      case "low":
        return BigInt(16 * random.below(0x1000));
      case "misaligned":
        return BigInt(DATA_ADDRESS + 0x800 + 16 * random.below(32) + 1 + random.below(15));
      case "data":
        return BigInt(
          DATA_ADDRESS +
            0x800 +
            16 * random.below(32) +
            alignment * random.below(Math.ceil(16 / alignment)),
        );
    }
  }

  /** Puts a little-endian value into memory. */
  store(linear: bigint, bytes: number, value: bigint): void {
    const patch = Uint8Array.from({ length: bytes }, (_, index) =>
      Number((value >> BigInt(index * 8)) & 0xffn),
    );
    this.memory.push({ linear: Number(linear), bytes: patch });
  }

  /** An operand that addresses `linear`, by registers that are given values for it. */
  address(linear: bigint, bits: number | undefined): MemoryArgument {
    const { random, mode } = this;
    const size = bits === undefined || bits === 0 ? {} : { bits };
    const fits = linear < 0x8000_0000n;
    const form = random.below(10);
    if (fits && form === 0) return { type: "memory", ...size, displacement: linear };
    if (fits && mode === 64 && form === 1)
      return {
        type: "memory",
        ...size,
        target: linear,
        ...(random.oneIn(4) ? { addressWidth: 32 } : {}),
      };
    if (fits && mode === 64 && form === 2) {
      const [segment, base] = random.pick([
        [4, FS_BASE],
        [5, GS_BASE],
      ] as const);
      return {
        type: "memory",
        ...size,
        segment,
        ...this.#registersFor(linear - BigInt(base), 64),
      };
    }
    if (fits && form === 4) return { type: "memory", ...size, ...this.#fromStack(linear) };
    if (fits && form === 5) return { type: "memory", ...size, ...this.#fromIndex(linear) };
    // 32-bit addresses in 64-bit code: the registers' upper halves must not matter.
    const width = mode === 64 && fits && form === 3 ? 32 : mode;
    return {
      type: "memory",
      ...size,
      ...(width === mode ? {} : { addressWidth: width }),
      ...this.#registersFor(linear, width),
    };
  }

  /** A 16-bit address, of registers and a displacement whose sum wraps. The page fault tells where it is. */
  address16(bits: number | undefined): MemoryArgument {
    const { random } = this;
    const [base = 3, index] = random.pick<readonly number[]>([
      [3, 6],
      [3, 7],
      [5, 6],
      [5, 7],
      [6],
      [7],
      [5],
      [3],
    ]);
    for (const number of [base, index]) {
      if (number === undefined) continue;
      this.#pointers.add(number);
      this.set(number, random.bits(32));
    }
    return {
      type: "memory",
      ...(bits === undefined || bits === 0 ? {} : { bits }),
      addressWidth: 16,
      base,
      ...(index === undefined ? {} : { index }),
      displacement: random.pick([0n, 1n, -0x80n, 0x7fffn, -0x8000n]),
    };
  }

  /** Relative to the stack pointer. */
  #fromStack(linear: bigint): Pick<MemoryArgument, "base" | "displacement"> {
    return { base: RSP, displacement: linear - (this.registers.general[RSP] ?? 0n) };
  }

  /** A scaled index without a base. */
  #fromIndex(linear: bigint): Pick<MemoryArgument, "index" | "scale" | "displacement"> {
    const index = this.#freeRegister();
    this.#pointers.add(index);
    const value = BigInt(this.random.below(0x100)) - 0x80n;
    const scale = this.random.pick([1, 2, 4, 8] as const);
    this.set(index, BigInt.asUintN(this.mode, value));
    return { index, scale, displacement: linear - value * BigInt(scale) };
  }

  #registersFor(
    offset: bigint,
    width: 32 | 64,
  ): Pick<MemoryArgument, "base" | "index" | "scale" | "displacement"> {
    const { random } = this;
    const displacement = random.pick([0n, 0n, 8n, -128n, 127n, 0x1234n, -0x1_0000n]);
    const base = this.#freeRegister();
    this.reserve(base);
    this.#pointers.add(base);
    const upper = width < this.mode ? random.bits(32) << 32n : 0n;
    if (random.oneIn(2)) {
      this.set(base, BigInt.asUintN(width, offset - displacement) | upper);
      return { base, displacement };
    }
    const index = this.#freeRegister();
    this.#pointers.add(index);
    const scale = random.pick([1, 2, 4, 8] as const);
    const indexValue = BigInt(random.below(0x100)) - 0x80n;
    this.set(index, BigInt.asUintN(width, indexValue) | upper);
    this.set(
      base,
      BigInt.asUintN(width, offset - displacement - indexValue * BigInt(scale)) | upper,
    );
    return { base, index, scale, displacement };
  }
}
