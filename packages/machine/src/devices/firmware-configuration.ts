/**
 * QEMU's firmware configuration device: named files that an embedder hands to a guest, behind a few ports.
 *
 * QEMU, docs/specs/fw_cfg.rst: a selector of 16 bits, data read byte by byte, and "Guest-side DMA Interface": the address of a
 * request, which says what to copy where. Nothing can be written, as in QEMU since 2.4.
 */
import type { DmaMemory } from "../dma.ts";
import { firmwareConfigurationPort } from "../platform.ts";
import type { AccessBytes, PortDevice, PortRange } from "../ports.ts";

const selectorPort = firmwareConfigurationPort;
const dataPort = firmwareConfigurationPort + 1;

const key = {
  signature: 0x00,
  id: 0x01,
  processors: 0x05,
  directory: 0x19,
  firstFile: 0x20,
} as const;
/** What its id says that there is: the interface of ports, and DMA. */
const interfaces = 0x1 | 0x2;

/** Where the guest writes the address of a request, big-endian; the low half starts it. */
const requestPort = firmwareConfigurationPort + 4;
/** "QEMU CFG", which reads of the address give. */
const requestSignature = [0x5145_4d55, 0x2043_4647] as const;
const requestBytes = 16;
/** Bits of a request's control word, whose upper half may be a selector. */
const control = { error: 0x01, read: 0x02, skip: 0x04, select: 0x08, write: 0x10 } as const;
/** Copied at once, so that a request costs the host little memory. */
const pieceBytes = 1 << 16;
const entryBytes = 64;
const nameBytesMaximum = 55;

export class FirmwareConfiguration implements PortDevice {
  readonly name = "firmware-configuration";
  readonly ports: readonly PortRange[] = [
    { base: selectorPort, count: 1, widthBytes: 2 },
    { base: dataPort, count: 1, widthBytes: 1 },
    { base: requestPort, count: 8, widthBytes: 4 },
  ];
  readonly #memory: DmaMemory;
  readonly #items: ReadonlyMap<number, Uint8Array>;
  #selected = 0;
  #offset = 0;
  /** Upper half of a request's address. */
  #requestHigh = 0;

  /**
   * @param memory What requests lie in, and are about.
   * @param files By name, such as `opt/org.example/greeting`. The bytes are not copied.
   * @throws {RangeError} when a name is empty, not ASCII, or longer than 55 characters.
   */
  constructor(memory: DmaMemory, files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#memory = memory;
    const little = (value: number, bytes: number): Uint8Array =>
      Uint8Array.from({ length: bytes }, (_, byte) => (value >>> (8 * byte)) & 0xff);
    const items = new Map<number, Uint8Array>([
      [key.signature, new TextEncoder().encode("QEMU")],
      [key.id, little(interfaces, 4)],
      [key.processors, little(1, 2)],
      [key.directory, directoryOf(files)],
    ]);
    [...files.values()].forEach((bytes, index) => items.set(key.firstFile + index, bytes));
    this.#items = items;
  }

  reset(): void {
    this.#selected = 0;
    this.#offset = 0;
    this.#requestHigh = 0;
  }

  /** Behind the end of an item, and where there is none, are zeros. */
  readPort(port: number, sizeBytes: AccessBytes): number {
    if (port >= requestPort) {
      const [high, low] = requestSignature;
      const word = swapped(port < requestPort + 4 ? high : low);
      return sizeBytes === 4 ? word : (word >>> (8 * (port & 3))) & (2 ** (8 * sizeBytes) - 1);
    }
    if (port !== dataPort) return 0;
    const byte = this.#items.get(this.#selected)?.[this.#offset] ?? 0;
    this.#offset += 1;
    return byte;
  }

  writePort(port: number, sizeBytes: AccessBytes, value: number): void {
    if (port === selectorPort) this.#select(value);
    else if (sizeBytes !== 4) return;
    else if (port === requestPort) this.#requestHigh = swapped(value);
    else if (port === requestPort + 4) {
      const at = this.#requestHigh * 2 ** 32 + swapped(value);
      this.#requestHigh = 0;
      if (at + requestBytes <= this.#memory.sizeBytes) this.#serve(at);
    }
  }

  #select(item: number): void {
    this.#selected = item;
    this.#offset = 0;
  }

  /** "Guest-side DMA Interface": control, length and address, big-endian. What is left of control says how it went. */
  #serve(at: number): void {
    const request = new Uint8Array(requestBytes);
    this.#memory.read(at, request);
    const view = new DataView(request.buffer);
    const wanted = view.getUint32(0);
    const lengthBytes = view.getUint32(4);
    const target = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    if ((wanted & control.select) !== 0) this.#select(wanted >>> 16);
    let result = 0;
    if ((wanted & control.read) !== 0) {
      if (target + lengthBytes <= this.#memory.sizeBytes) this.#copy(target, lengthBytes);
      else result = control.error;
    } else if ((wanted & control.write) !== 0) result = control.error;
    else if ((wanted & control.skip) !== 0) this.#offset += lengthBytes;
    view.setUint32(0, result);
    this.#memory.write(at, request.subarray(0, 4));
  }

  #copy(target: number, lengthBytes: number): void {
    const item = this.#items.get(this.#selected) ?? new Uint8Array(0);
    for (let done = 0; done < lengthBytes; done += pieceBytes) {
      const piece = new Uint8Array(Math.min(pieceBytes, lengthBytes - done));
      piece.set(item.subarray(this.#offset, this.#offset + piece.length));
      this.#memory.write(target + done, piece);
      this.#offset += piece.length;
    }
  }
}

/** A word of 32 bits with its bytes turned around. */
function swapped(word: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, word);
  return view.getUint32(0, true);
}

/** "File Directory (Key 0x0019, FW_CFG_FILE_DIR)": big-endian. */
function directoryOf(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const bytes = new Uint8Array(4 + entryBytes * files.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.size);
  let at = 4;
  let select: number = key.firstFile;
  for (const [name, { length }] of files) {
    if (!new RegExp(`^[\\x21-\\x7e]{1,${nameBytesMaximum}}$`, "u").test(name)) {
      throw new RangeError(
        `A firmware file called "${name}" was given; expected 1 to ${nameBytesMaximum} ASCII characters.`,
      );
    }
    view.setUint32(at, length);
    view.setUint16(at + 4, select);
    bytes.set(new TextEncoder().encode(name), at + 8);
    at += entryBytes;
    select += 1;
  }
  return bytes;
}
