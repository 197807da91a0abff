/**
 * QEMU's firmware configuration device: named files that an embedder hands to a guest, behind two ports.
 *
 * QEMU, docs/specs/fw_cfg.rst: a selector of 16 bits, and data read byte by byte. The DMA interface does not exist, and
 * nothing can be written, as in QEMU since 2.4.
 */
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
/** The interface of ports, and no DMA. */
const traditionalInterface = 1;
const entryBytes = 64;
const nameBytesMaximum = 55;

export class FirmwareConfiguration implements PortDevice {
  readonly name = "firmware-configuration";
  readonly ports: readonly PortRange[] = [
    { base: selectorPort, count: 1, widthBytes: 2 },
    { base: dataPort, count: 1, widthBytes: 1 },
  ];
  readonly #items: ReadonlyMap<number, Uint8Array>;
  #selected = 0;
  #offset = 0;

  /**
   * @param files By name, such as `opt/org.example/greeting`. The bytes are not copied.
   * @throws {RangeError} when a name is empty, not ASCII, or longer than 55 characters.
   */
  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    const little = (value: number, bytes: number): Uint8Array =>
      Uint8Array.from({ length: bytes }, (_, byte) => (value >>> (8 * byte)) & 0xff);
    const items = new Map<number, Uint8Array>([
      [key.signature, new TextEncoder().encode("QEMU")],
      [key.id, little(traditionalInterface, 4)],
      [key.processors, little(1, 2)],
      [key.directory, directoryOf(files)],
    ]);
    [...files.values()].forEach((bytes, index) => items.set(key.firstFile + index, bytes));
    this.#items = items;
  }

  reset(): void {
    this.#selected = 0;
    this.#offset = 0;
  }

  /** Behind the end of an item, and where there is none, are zeros. */
  readPort(port: number, _sizeBytes: AccessBytes): number {
    if (port !== dataPort) return 0;
    const byte = this.#items.get(this.#selected)?.[this.#offset] ?? 0;
    this.#offset += 1;
    return byte;
  }

  writePort(port: number, _sizeBytes: AccessBytes, value: number): void {
    if (port !== selectorPort) return;
    this.#selected = value;
    this.#offset = 0;
  }
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
