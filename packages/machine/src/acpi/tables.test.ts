/** ACPI 6.5, section 5.2, "ACPI System Description Tables": found from the root as an operating system finds them. */
import { describe, expect, test } from "vitest";
import { acpiTables } from "./tables.ts";

const base = 0xf_0000;
const { bytes, rsdp } = acpiTables(base);
const view = new DataView(bytes.buffer);

const u32 = (at: number): number => view.getUint32(at - base, true);
const u64 = (at: number): number => Number(view.getBigUint64(at - base, true));
const text = (at: number, length: number): string =>
  new TextDecoder("latin1").decode(bytes.subarray(at - base, at - base + length));
const sum = (at: number, length: number): number =>
  bytes.subarray(at - base, at - base + length).reduce((total, byte) => (total + byte) & 0xff, 0);

const xsdt = u64(rsdp + 24);
const tables = new Map(
  Array.from({ length: (u32(xsdt + 4) - 36) / 8 }, (_, index) => {
    const at = u64(xsdt + 36 + 8 * index);
    return [text(at, 4), at];
  }),
);

function at(signature: string): number {
  const found = tables.get(signature);
  if (found === undefined) throw new Error(`There is no ${signature}.`);
  return found;
}

describe("ACPI tables", () => {
  test("begin with a root pointer on a 16-byte boundary, with both checksums", () => {
    expect(text(rsdp, 8)).toBe("RSD PTR ");
    expect(rsdp % 16).toBe(0);
    expect([sum(rsdp, 20), sum(rsdp, 36)]).toEqual([0, 0]);
  });

  test("are FADT, MADT and HPET, each with its checksum", () => {
    expect([...tables.keys()]).toEqual(["FACP", "APIC", "HPET"]);
    for (const table of [...tables.values(), xsdt]) expect(sum(table, u32(table + 4))).toBe(0);
  });

  test("agree on FACS and DSDT in both widths", () => {
    const fadt = at("FACP");
    const facs = u32(fadt + 36);
    const dsdt = u32(fadt + 40);
    expect([u64(fadt + 132), u64(fadt + 140)]).toEqual([facs, dsdt]);
    expect([text(facs, 4), facs % 64]).toEqual(["FACS", 0]);
    expect([text(dsdt, 4), sum(dsdt, u32(dsdt + 4))]).toEqual(["DSDT", 0]);
  });

  test("give S5 the type that the hardware knows", () => {
    const dsdt = u32(at("FACP") + 40);
    const body = text(dsdt, u32(dsdt + 4));
    // NameOp, "_S5_", PackageOp, length, four elements, the byte 5.
    expect(body).toContain("\x08\\_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00");
  });

  test("stay within the firmware's 64 KiB", () => {
    expect(bytes.length).toBeLessThan(0x1_0000);
  });
});
