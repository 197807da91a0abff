/**
 * What travels to a local APIC: from an I/O APIC, from a device that writes it to memory, or from another processor.
 *
 * Intel SDM Vol. 3A §11.11.1, "Message Address Register Format"; §11.11.2, "Message Data Register Format".
 */

/** Delivery modes that this machine's controllers send. */
export const deliveryMode = {
  fixed: 0,
  lowestPriority: 1,
  smi: 2,
  nmi: 4,
  init: 5,
  extInt: 7,
} as const;

export interface InterruptMessage {
  /** 8 bits: an APIC id, or a set or cluster when logical. */
  readonly destination: number;
  readonly isLogical: boolean;
  /** Bits 10:8 of the message data; see {@link deliveryMode}. */
  readonly mode: number;
  readonly vector: number;
  readonly isLevel: boolean;
}

/** First address of the range in which writes are messages; it has 1 MiB. */
export const messageBase = 0xfee0_0000;

/** What a write of `data` to `physical`, inside the range, says. */
export function messageOf(physical: number, data: number): InterruptMessage {
  return {
    destination: (physical >>> 12) & 0xff,
    isLogical: (physical & 4) !== 0,
    mode: (data >>> 8) & 7,
    vector: data & 0xff,
    isLevel: (data & 0x8000) !== 0,
  };
}
