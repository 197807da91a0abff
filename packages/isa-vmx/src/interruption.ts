/**
 * Interruption information: what an event is, in the format that injection, exits and IDT vectoring share.
 *
 * ```
 * 31    30       13  12                11           10    8 7      0
 * +-----+-----------+-----------------+------------+-------+--------+
 * |valid|  reserved |NMI unblocking   |error code  | type  | vector |
 * +-----+-----------+-----------------+------------+-------+--------+
 * ```
 *
 * Intel SDM Vol. 3C §25.8.3, "VM-Entry Controls for Event Injection"; §25.9.2, "Information for VM Exits Due to Vectored
 * Events".
 */

/** Interruption types. */
export const TYPE = {
  EXTERNAL_INTERRUPT: 0,
  NMI: 2,
  HARDWARE_EXCEPTION: 3,
  SOFTWARE_INTERRUPT: 4,
  PRIVILEGED_SOFTWARE_EXCEPTION: 5,
  SOFTWARE_EXCEPTION: 6,
  /** Injection only: a pending MTF VM exit. */
  OTHER: 7,
} as const;

/** Bits of the interruptibility state. Intel SDM Vol. 3C §25.4.2, "Guest Non-Register State". */
export const BLOCKING = { STI: 1, MOV_SS: 2, SMI: 4, NMI: 8 } as const;

/** Information of at least this is of a valid event. */
export const VALID = 0x8000_0000;
const ERROR_CODE = 0x800;

export interface Interruption {
  readonly isValid: boolean;
  readonly vector: number;
  readonly type: number;
  readonly hasErrorCode: boolean;
}

export function interruption(information: number): Interruption {
  return {
    isValid: information >= VALID,
    vector: information & 0xff,
    type: (information >>> 8) & 7,
    hasErrorCode: (information & ERROR_CODE) !== 0,
  };
}

/** The information of a valid event. */
export function interruptionOf(type: number, vector: number, hasErrorCode: boolean): number {
  return VALID + (hasErrorCode ? ERROR_CODE : 0) + (type << 8) + vector;
}
