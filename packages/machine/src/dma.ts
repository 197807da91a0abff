/** Memory as devices see it that read and write it on their own: the guest's RAM, from physical address 0. */

export interface DmaMemory {
  readonly sizeBytes: number;
  /** Fills `bytes`; the range must be inside. */
  read(physical: number, bytes: Uint8Array): void;
  /** The range must be inside. */
  write(physical: number, bytes: Uint8Array): void;
}
