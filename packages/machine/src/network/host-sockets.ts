/** What a {@link UserNetwork} needs of the host: sockets and names. Nothing here is called back before it returned. */

export interface HostSockets {
  /** Starts to connect; what happens then is told to `events`. */
  connect(address: string, port: number, events: HostConnectionEvents): HostConnection;
  /** A socket for datagrams, with a port of the host's choice. */
  openDatagrams(onDatagram: (datagram: HostDatagram) => void): HostDatagrams;
  /** IPv4 addresses of a name, in dotted form; none when there is no such name. Rejects when the host cannot ask. */
  resolve(name: string): Promise<readonly string[]>;
}

export interface HostConnectionEvents {
  readonly onOpen: () => void;
  /** The bytes belong to the listener. */
  readonly onData: (bytes: Uint8Array) => void;
  /** Everything that was written has been handed on. */
  readonly onDrain: () => void;
  /** The other side sends no more. */
  readonly onEnd: () => void;
  /** Over, in both directions. `isFailed` when it was refused, reset or broken. Nothing is called after it. */
  readonly onClose: (isFailed: boolean) => void;
}

export interface HostConnection {
  /** Bytes that were written and not handed on yet. */
  readonly bufferedBytes: number;
  write(bytes: Uint8Array): void;
  /** No more will be written. */
  end(): void;
  /** Breaks it off; no event follows. */
  abort(): void;
  /** Whether data shall come. */
  setReading(isReading: boolean): void;
}

export interface HostDatagram {
  readonly address: string;
  /** 1 to 65,535. */
  readonly port: number;
  readonly bytes: Uint8Array;
}

export interface HostDatagrams {
  /** Does nothing when the socket is closed, by the machine or by an error of the host's. */
  send(datagram: HostDatagram): void;
  close(): void;
}
