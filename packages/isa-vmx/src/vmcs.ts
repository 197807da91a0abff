/**
 * A VMCS in memory.
 *
 * ```
 * 0  revision identifier      4  VMX-abort indicator     8  launch state     64  fields, 8 bytes each (fields.ts)
 * ```
 *
 * The data is always in the region, never cached, so a snapshot of memory holds it. Software must not rely on the
 * layout. Intel SDM Vol. 3C §25.2, "Format of the VMCS Region".
 */
import type { HostMemory, PhysicalMemory } from "@ringside/isa";
import {
  DATA_OFFSET,
  FIELDS,
  fieldMask,
  fieldOf,
  type FieldKey,
  type VmcsField,
} from "./fields.ts";

const ABORT_OFFSET = 4;
const LAUNCH_OFFSET = 8;
const CLEAR = 0;
const LAUNCHED = 1;
/** 32-bit words of all fields: two each, the lower half first. */
export const FIELD_WORDS: number = FIELDS.length * 2;

/** Physical memory as VMX structures reach it: where there is no RAM, reads give all ones and writes are dropped. */
export class GuardedMemory {
  readonly physical: PhysicalMemory;

  constructor(memory: HostMemory) {
    this.physical = memory.physical;
  }

  #has(physical: number, bytes: number): boolean {
    return physical >= 0 && physical + bytes <= this.physical.sizeBytes;
  }

  readU32(physical: number): number {
    return this.#has(physical, 4) ? this.physical.readU32(physical) : 0xffff_ffff;
  }

  writeU32(physical: number, value: number): void {
    if (this.#has(physical, 4)) this.physical.writeU32(physical, value);
  }

  readU64(physical: number): bigint {
    return this.#has(physical, 8) ? this.physical.readU64(physical) : 0xffff_ffff_ffff_ffffn;
  }

  writeU64(physical: number, value: bigint): void {
    if (this.#has(physical, 8)) this.physical.writeU64(physical, value);
  }
}

/** The revision identifier of a region, which need not be in RAM. Intel SDM Vol. 3C §25.2, "Format of the VMCS Region". */
export function revisionAt(memory: GuardedMemory, region: number): number {
  return memory.readU32(region);
}

/** Makes a VMCS clear, wherever its region is. */
export function setClear(memory: GuardedMemory, region: number): void {
  memory.writeU32(region + LAUNCH_OFFSET, CLEAR);
}

/** The VMCS in a region of RAM. */
export class Vmcs {
  readonly region: number;
  /** The words of the fields as they are in memory, for reading; writes tell the memory. */
  readonly words: Uint32Array;
  readonly #longs: BigUint64Array;
  readonly #memory: PhysicalMemory;

  /** @throws {RangeError} The region is not in RAM: VMPTRLD has refused it. */
  constructor(memory: PhysicalMemory, region: number) {
    const at = memory.baseOffset + region + DATA_OFFSET;
    this.region = region;
    this.words = new Uint32Array(memory.buffer, at, FIELD_WORDS);
    this.#longs = new BigUint64Array(memory.buffer, at, FIELDS.length);
    this.#memory = memory;
  }

  get isLaunched(): boolean {
    return this.#memory.readU32(this.region + LAUNCH_OFFSET) === LAUNCHED;
  }

  /** VM entry by VMLAUNCH succeeded. */
  setLaunched(): void {
    this.#memory.writeU32(this.region + LAUNCH_OFFSET, LAUNCHED);
  }

  /** Intel SDM Vol. 3C §28.7, "VMX Aborts". */
  setAbort(indicator: number): void {
    this.#memory.writeU32(this.region + ABORT_OFFSET, indicator);
  }

  get(key: FieldKey): bigint {
    return this.read(fieldOf(key));
  }

  number(key: FieldKey): number {
    return this.low(fieldOf(key));
  }

  /** A field of at most 32 bits, or the low half of a wider one. */
  low({ index, width }: VmcsField): number {
    const value = this.words[index * 2] ?? 0;
    return width === 16 ? value & 0xffff : value;
  }

  /** A field as a number: exact where its value is below 2^53. */
  wideNumber(field: VmcsField): number {
    const low = this.words[field.index * 2] ?? 0;
    switch (field.width) {
      case 16:
        return low & 0xffff;
      case 32:
        return low;
      default:
        return (this.words[field.index * 2 + 1] ?? 0) * 0x1_0000_0000 + low;
    }
  }

  set(key: FieldKey, value: bigint | number): void {
    this.write(fieldOf(key), value);
  }

  read(field: VmcsField): bigint {
    return (this.#longs[field.index] ?? 0n) & fieldMask(field);
  }

  write(field: VmcsField, value: bigint | number): void {
    const at = this.region + field.offset;
    if (field.width === 16 || field.width === 32) {
      const mask = field.width === 16 ? 0xffff : 0xffff_ffff;
      const low = typeof value === "number" ? value : Number(BigInt.asUintN(32, value));
      this.#memory.writeU32(at, (low & mask) >>> 0);
    } else this.#memory.writeU64(at, BigInt.asUintN(64, BigInt(value)));
  }

  /** Replaces all fields at once. */
  replace(fields: Uint8Array): void {
    this.#memory.write(this.region + DATA_OFFSET, fields);
  }
}

/**
 * The fields of a VMCS on their way back to memory: a VM exit changes many at once.
 *
 * One for each processor, used over and over.
 */
export class VmcsDraft {
  readonly words: Uint32Array = new Uint32Array(FIELD_WORDS);
  readonly #bytes: Uint8Array = new Uint8Array(this.words.buffer);

  /** Begins with what the VMCS holds. */
  begin(vmcs: Vmcs): void {
    this.words.set(vmcs.words);
  }

  set({ index }: VmcsField, value: number): void {
    this.words[index * 2] = value;
    this.words[index * 2 + 1] = 0;
  }

  setWide({ index }: VmcsField, value: bigint): void {
    this.words[index * 2] = Number(BigInt.asUintN(32, value));
    this.words[index * 2 + 1] = Number(BigInt.asUintN(32, value >> 32n));
  }

  /** The low half of a field. */
  low({ index }: VmcsField): number {
    return this.words[index * 2] ?? 0;
  }

  commit(vmcs: Vmcs): void {
    vmcs.replace(this.#bytes);
  }
}
