/**
 * Encodes the ACPI machine language: what a DSDT needs to describe a PC, and no more.
 *
 * ACPI 6.5, chapter 20, "ACPI Machine Language (AML) Specification"; section 6.4, "Resource Data Types for ACPI". Each
 * function gives the bytes of one term; terms nest by being arguments.
 */

export type Aml = readonly number[];

/** A name of at most four characters, or a path such as `\_SB_.PCI0`. Segments are padded with underscores. */
export function namePath(path: string): Aml {
  const isAbsolute = path.startsWith("\\");
  const segments = (isAbsolute ? path.slice(1) : path).split(".").filter((part) => part !== "");
  const bytes = segments.flatMap((segment) => ascii(segment.padEnd(4, "_")));
  const prefix =
    segments.length < 2 ? [] : segments.length === 2 ? [0x2e] : [0x2f, segments.length];
  return [...(isAbsolute ? [0x5c] : []), ...prefix, ...bytes];
}

/** Integers in their shortest form. */
export function integer(value: number): Aml {
  if (value === 0) return [0x00];
  if (value === 1) return [0x01];
  if (value < 0x100) return [0x0a, ...little(value, 1)];
  if (value < 0x1_0000) return [0x0b, ...little(value, 2)];
  return value < 2 ** 32 ? [0x0c, ...little(value, 4)] : [0x0e, ...little(value, 8)];
}

export function string(text: string): Aml {
  return [0x0d, ...ascii(text), 0];
}

/** An EISA id such as `PNP0A03`, packed. Section 19.3.4, "ASL Macros" (EISAID). */
export function eisaId(id: string): Aml {
  const letters = ascii(id.slice(0, 3)).map((code) => code - 0x40);
  const [first = 0, second = 0, third = 0] = letters;
  const packed = (first << 10) | (second << 5) | third;
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, packed >> 8, packed & 0xff, product >> 8, product & 0xff];
}

export function name(path: string, value: Aml): Aml {
  return [0x08, ...namePath(path), ...value];
}

export function packageOf(...elements: readonly Aml[]): Aml {
  return [0x12, ...withLength([elements.length, ...elements.flat()])];
}

export function buffer(bytes: readonly number[]): Aml {
  return [0x11, ...withLength([...integer(bytes.length), ...bytes])];
}

export function scope(path: string, ...terms: readonly Aml[]): Aml {
  return [0x10, ...withLength([...namePath(path), ...terms.flat()])];
}

export function device(path: string, ...terms: readonly Aml[]): Aml {
  return [0x5b, 0x82, ...withLength([...namePath(path), ...terms.flat()])];
}

/** A resource template: descriptors and an end tag whose checksum is not used. */
export function resources(...descriptors: readonly Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0x00]);
}

/** "I/O Port Descriptor", 16-bit decode. */
export function ioPorts(base: number, count: number): Aml {
  return [0x47, 0x01, ...little(base, 2), ...little(base, 2), 0x01, count];
}

/** "IRQ Descriptor": edge, active high, exclusive. */
export function irq(line: number): Aml {
  return [0x22, ...little(1 << line, 2)];
}

/** "32-Bit Fixed Memory Range Descriptor", read and write. */
export function fixedMemory(base: number, sizeBytes: number): Aml {
  return [0x86, 0x09, 0x00, 0x01, ...little(base, 4), ...little(sizeBytes, 4)];
}

/** "Word Address Space Descriptor" of bus numbers that a bridge produces. */
export function busNumbers(first: number, last: number): Aml {
  return wordSpace(2, 0, first, last);
}

/** "Word Address Space Descriptor" of I/O ports that a bridge produces. */
export function portWindow(first: number, last: number): Aml {
  return wordSpace(1, 0x03, first, last);
}

/** "DWord Address Space Descriptor" of memory that a bridge produces: not cacheable, read and write. */
export function memoryWindow(base: number, sizeBytes: number): Aml {
  const fields = [0, base, base + sizeBytes - 1, 0, sizeBytes];
  return [0x87, 23, 0, 0, 0x0c, 0x01, ...fields.flatMap((field) => little(field, 4))];
}

/** Minimum and maximum are fixed. */
function wordSpace(type: number, typeFlags: number, first: number, last: number): Aml {
  const fields = [0, first, last, 0, last - first + 1];
  return [0x88, 13, 0, type, 0x0c, typeFlags, ...fields.flatMap((field) => little(field, 2))];
}

/** PkgLength counts itself. Section 20.2.4, "Package Length Encoding". */
function withLength(content: Aml): Aml {
  const short = content.length + 1;
  if (short < 0x40) return [short, ...content];
  for (let extra = 1; extra <= 3; extra += 1) {
    const total = content.length + 1 + extra;
    if (total < 2 ** (4 + 8 * extra)) {
      return [(extra << 6) | (total & 0xf), ...little(total >>> 4, extra), ...content];
    }
  }
  throw new RangeError(`An AML package of ${content.length} bytes is longer than 2^28.`);
}

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) % 256);
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}
