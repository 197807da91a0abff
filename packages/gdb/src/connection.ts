/** A way to exchange bytes with the other side: a socket, a pipe, or another object in the same process. */

export interface ConnectionListener {
  /** Called with what arrives, in order and cut anywhere. */
  bytes(bytes: Uint8Array): void;
  /** Called once, when nothing more will arrive. */
  closed(): void;
}

export interface Connection {
  /** Sends bytes, which the caller must not change afterwards. Does nothing once the other side is gone. */
  send(bytes: Uint8Array): void;
  /** Ends the connection after what was sent. */
  close(): void;
  /** Who is told of what arrives; set once, before the next turn of the event loop. */
  listener: ConnectionListener | undefined;
}
