/** Files whose text is made when they are opened: most of /proc. */
import { EACCES, EINVAL } from "../abi/errno.ts";
import { S_IFREG } from "../abi/files.ts";
import type { Location } from "../namespaces/mount-namespace.ts";
import { encodeName } from "./file-name.ts";
import type { FileSystem } from "./file-system.ts";
import { Inode } from "./inode.ts";
import { OpenFile, seekTarget } from "./open-file.ts";
import type { Transfer } from "./transfer.ts";

export class GeneratedInode extends Inode {
  /** The text, one character per byte; undefined when what it tells about is gone. */
  readonly generate: () => string | undefined;
  /** Takes what was written; gives an error number or 0. Absent: not writable. */
  readonly accept: ((text: string) => number) | undefined;

  constructor(
    fileSystem: FileSystem,
    permissions: number,
    number: number,
    generate: () => string | undefined,
    accept?: (text: string) => number,
  ) {
    super(fileSystem, S_IFREG | permissions, number);
    this.links = 1;
    this.generate = generate;
    this.accept = accept;
  }

  /** Computed files are charged to nobody and have nothing to free. */
  override freeWhenUnused(): void {}
}

export class GeneratedFile extends OpenFile {
  readonly inode: GeneratedInode;
  readonly #bytes: Uint8Array;

  constructor(
    inode: GeneratedInode,
    text: string,
    flags: number,
    path: string,
    location: Location | undefined,
  ) {
    super(flags, path, location);
    this.inode = inode;
    this.#bytes = encodeName(text);
    inode.acquire();
  }

  protected override get heldBytes(): number {
    return this.#bytes.length;
  }

  override read(transfer: Transfer): number {
    const moved = this.readAt(transfer, this.position);
    this.position += moved;
    return moved;
  }

  override readAt(transfer: Transfer, position: number): number {
    if (position >= this.#bytes.length) return 0;
    return transfer.putBytes(this.#bytes.subarray(position, position + transfer.remaining));
  }

  override write(transfer: Transfer): number {
    if (this.inode.accept === undefined) return EACCES;
    const bytes = transfer.takeBytes(Math.min(transfer.remaining, 4096));
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    const failure = this.inode.accept(text);
    return failure === 0 ? bytes.length : failure;
  }

  override writeAt(transfer: Transfer, _position: number): number {
    return this.write(transfer);
  }

  override seek(offset: number, whence: number): number {
    if (whence === 2 && this.#bytes.length === 0) return EINVAL;
    const target = seekTarget(this.position, this.#bytes.length, offset, whence);
    if (target >= 0) this.position = target;
    return target;
  }
}
