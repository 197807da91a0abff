/** An Ethernet cable, as the two things plugged into its ends see it. */

/** The machine's end. */
export interface EthernetPort {
  /** Machine time in nanoseconds. */
  readonly now: number;
  /** A frame for the machine, without its check sequence; the bytes belong to the machine. May be called at any time. */
  receive(frame: Uint8Array): void;
  /** Asks for {@link EthernetLink.onAlarm} at a machine time, instead of what was asked for before. */
  setAlarm(deadline: number): void;
}

/** The other end: a network of its own, a switch. */
export interface EthernetLink {
  /** The machine is plugged in. Once. */
  attach(port: EthernetPort): void;
  /** A frame from the machine, at most 1514 bytes; the bytes belong to the link. */
  send(frame: Uint8Array): void;
  /**
   * True while frames may come that only the host's time brings about: a machine that idles then lets its own time
   * pass in small steps, and leaves the host time in between.
   */
  readonly awaitsHost: boolean;
  /** The time has come that {@link EthernetPort.setAlarm} was told. */
  onAlarm(): void;
  /** The machine starts anew. */
  reset(): void;
}

/** Largest frame without its check sequence: a header and 1500 bytes. */
export const frameBytesMaximum = 1514;
