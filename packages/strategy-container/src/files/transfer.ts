/**
 * Where the bytes of a read go, or those of a write come from.
 *
 * Files move bytes through this interface and do not know whether the other side is memory of a program or a buffer of
 * the kernel. Data that lies in page frames is copied from frame to frame and never becomes a JavaScript array.
 */
export interface Transfer {
  /** Bytes that may still be moved. */
  readonly remaining: number;
  /** Whether the other side could not be accessed: fewer bytes were moved than were asked for. */
  readonly faulted: boolean;
  /** Moves up to `lengthBytes` bytes of physical memory to the other side; gives how many. */
  putPhysical(physical: number, lengthBytes: number): number;
  /** Moves `bytes`, as many as fit, to the other side; gives how many. */
  putBytes(bytes: Uint8Array): number;
  /** Moves zeros to the other side; gives how many. */
  putZeros(lengthBytes: number): number;
  /** Moves up to `lengthBytes` bytes from the other side to physical memory; gives how many. */
  takePhysical(physical: number, lengthBytes: number): number;
  /** Takes up to `lengthBytes` bytes from the other side. */
  takeBytes(lengthBytes: number): Uint8Array;
}
