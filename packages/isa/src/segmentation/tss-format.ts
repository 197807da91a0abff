/**
 * Where the fields of a TSS lie.
 *
 * Intel SDM Vol. 3A §8.2.1, "Task-State Segment (TSS)"; §8.6, "16-Bit Task-State Segment (TSS)".
 */

/** A TSS of legacy modes. Offsets are in bytes. */
export interface TssFormat {
  /** Least size of the segment. */
  readonly bytes: number;
  /** Bytes of a register's field. */
  readonly wordBytes: 2 | 4;
  readonly cr3: number | undefined;
  readonly rip: number;
  readonly flags: number;
  /** Eight general registers, in the order of their encoding. */
  readonly general: number;
  /** ES, CS, SS, DS and, in a 32-bit TSS, FS and GS. */
  readonly segments: number;
  readonly segmentCount: number;
  readonly ldt: number;
  /** The word whose bit 0 is the T flag. */
  readonly trap: number | undefined;
}

export const TSS_16: TssFormat = {
  bytes: 0x2c,
  wordBytes: 2,
  cr3: undefined,
  rip: 0x0e,
  flags: 0x10,
  general: 0x12,
  segments: 0x22,
  segmentCount: 4,
  ldt: 0x2a,
  trap: undefined,
};

export const TSS_32: TssFormat = {
  bytes: 0x68,
  wordBytes: 4,
  cr3: 0x1c,
  rip: 0x20,
  flags: 0x24,
  general: 0x28,
  segments: 0x48,
  segmentCount: 6,
  ldt: 0x60,
  trap: 0x64,
};
