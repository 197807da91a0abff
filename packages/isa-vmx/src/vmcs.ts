/**
 * A VMCS in memory.
 *
 * ```
 * 0  revision identifier      4  VMX-abort indicator     8  launch state     64  fields, 8 bytes each (fields.ts)
 * ```
 *
 * The data is always in the region, never cached, so a snapshot of memory holds it. Software must not rely on the
 * layout. Intel SDM Vol. 3C §24.2, "Format of the VMCS Region".
 */
import type { HostMemory } from "@ringside/isa";
import { fieldMask, fieldOf, type FieldKey, type VmcsField } from "./fields.ts";

const ABORT_OFFSET = 4;
const LAUNCH_OFFSET = 8;
const CLEAR = 0;
const LAUNCHED = 1;

/** Physical memory as VMX structures reach it: where there is no RAM, reads give all ones and writes are dropped. */
export class GuardedMemory {
  readonly #memory: HostMemory;

  constructor(memory: HostMemory) {
    this.#memory = memory;
  }

  #has(physical: number, bytes: number): boolean {
    return physical >= 0 && physical + bytes <= this.#memory.physical.sizeBytes;
  }

  readU32(physical: number): number {
    return this.#has(physical, 4) ? this.#memory.physical.readU32(physical) : 0xffff_ffff;
  }

  writeU32(physical: number, value: number): void {
    if (this.#has(physical, 4)) this.#memory.physical.writeU32(physical, value);
  }

  readU64(physical: number): bigint {
    return this.#has(physical, 8)
      ? this.#memory.physical.readU64(physical)
      : 0xffff_ffff_ffff_ffffn;
  }

  writeU64(physical: number, value: bigint): void {
    if (this.#has(physical, 8)) this.#memory.physical.writeU64(physical, value);
  }
}

/** One VMCS, by its region. */
export class Vmcs {
  readonly region: number;
  readonly #memory: GuardedMemory;

  constructor(memory: GuardedMemory, region: number) {
    this.#memory = memory;
    this.region = region;
  }

  get revision(): number {
    return this.#memory.readU32(this.region);
  }

  get isLaunched(): boolean {
    return this.#memory.readU32(this.region + LAUNCH_OFFSET) === LAUNCHED;
  }

  setLaunched(isLaunched: boolean): void {
    this.#memory.writeU32(this.region + LAUNCH_OFFSET, isLaunched ? LAUNCHED : CLEAR);
  }

  /** Intel SDM Vol. 3C §27.7, "VMX Aborts". */
  setAbort(indicator: number): void {
    this.#memory.writeU32(this.region + ABORT_OFFSET, indicator);
  }

  get(key: FieldKey): bigint {
    return this.read(fieldOf(key));
  }

  /** A field of at most 32 bits. */
  number(key: FieldKey): number {
    const { offset, width } = fieldOf(key);
    const value = this.#memory.readU32(this.region + offset);
    return width === 16 ? value & 0xffff : value;
  }

  set(key: FieldKey, value: bigint | number): void {
    this.write(fieldOf(key), BigInt(value));
  }

  read(field: VmcsField): bigint {
    return this.#memory.readU64(this.region + field.offset) & fieldMask(field);
  }

  write(field: VmcsField, value: bigint): void {
    this.#memory.writeU64(this.region + field.offset, value & fieldMask(field));
  }
}
