/**
 * A folder of the host, for the machine to mount.
 *
 * Virtual I/O Device (VIRTIO) Version 1.2, section 5.11, "File System Device": requests are messages of FUSE.
 */
import { FuseServer } from "../fuse/fuse-server.ts";
import type { SharedFolder } from "../fuse/shared-folder.ts";
import type { VirtioDevice, VirtioPort } from "./virtio-device.ts";

const queueSize = 1024;
const tagBytes = 36;

export interface Share {
  /** What the machine mounts it by: 1 to 36 bytes of UTF-8. */
  readonly tag: string;
  readonly folder: SharedFolder;
}

export class FileShareDevice implements VirtioDevice {
  readonly deviceType = 26;
  /** Mass storage, other. */
  readonly pciClass = 0x01_8000;
  readonly features = 0n;
  /** Urgent requests, and the others. */
  readonly queueSizes: readonly number[] = [queueSize, queueSize];
  readonly configuration: Uint8Array = new Uint8Array(tagBytes + 4);
  readonly #server: FuseServer;
  #port: VirtioPort | undefined;

  /** @throws {RangeError} when the tag is empty or too long. */
  constructor({ tag, folder }: Share) {
    const name = new TextEncoder().encode(tag);
    if (name.length === 0 || name.length > tagBytes) {
      throw new RangeError(
        `The share's tag "${tag}" has ${name.length} bytes; expected 1 to ${tagBytes}.`,
      );
    }
    this.configuration.set(name);
    this.configuration[tagBytes] = 1; // num_request_queues
    this.#server = new FuseServer(folder);
  }

  connect(port: VirtioPort): void {
    this.#port = port;
  }

  reset(): void {
    this.#server.reset();
  }

  onNotify(index: number): void {
    const queue = this.#port?.queues[index];
    for (const chain of queue?.chains() ?? []) {
      const reply = this.#server.answer(chain.read());
      // The driver leaves room for what it asked for; a reply that does not fit is cut, and it sees that by its length.
      if (reply !== undefined) chain.write(reply);
      queue?.use(chain);
    }
  }
}
