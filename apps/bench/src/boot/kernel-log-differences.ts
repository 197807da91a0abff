/**
 * Why lines of a kernel's log differ between this machine and QEMU's, with the same processor features.
 *
 * The log is compared by lines, without their times and whatever their order. A test boots both and fails on a line
 * that nothing here explains, so the list says all that a kernel sees to be different.
 */

export interface LogDifference {
  readonly lines: RegExp;
  readonly why: string;
}

export const logDifferences: readonly LogDifference[] = [
  {
    lines:
      /^(BIOS-e820: |\s+DMA32 |\s+node +0: |Faking a node |Initmem setup |NODE_DATA|RAMDISK: |Built 1 zonelists|Memory: |last_pfn|\[mem 0x|On node 0, zone DMA32)/u,
    why: "QEMU's firmware keeps the end of memory for its ACPI tables and names its ROM; ours lie below 1 MiB, and there is no ROM.",
  },
  {
    lines: /^ACPI: (RSDP|XSDT|RSDT|FACP|DSDT|FACS|APIC|HPET|WAET|Reserving) ?/u,
    why: "The tables have other makers, places and sizes; ours hang from an XSDT, name the FACS by both of the FADT's fields, and have no WAET, which is for Windows.",
  },
  {
    lines: /^(ACPI: PM: |ACPI: Enabled \d+ GPEs|ACPI: INT_SRC_OVR|rtc_cmos .* can wake)/u,
    why: "Our machine cannot sleep (S3, S4) and has no general-purpose events; of its interrupts only the timer's and ACPI's are overridden.",
  },
  {
    lines: /^(DMI|SMBIOS)/u,
    why: "Our machine has no SMBIOS tables.",
  },
  {
    lines: /^IOAPIC\[0\]: apic_id/u,
    why: "Our I/O APIC has the version of an 82093AA and an identifier of its own.",
  },
  {
    lines: /^(pci|pci_bus) 0000:|^ACPI: PCI(:| Root)|^acpiphp: |^PCI: /u,
    why: "QEMU's board has a PIIX3 with IDE and power management, hotplug slots and interrupt links; ours has a host bridge with one bus, and what was plugged in.",
  },
  {
    lines: /^(pnp: PnP ACPI: found|system 00:|rtc_cmos 00:|00:0\d: ttyS0|i8042: |serio: |input: )/u,
    why: "Our DSDT names the serial port, the clock and the reserved ports alone; there is no keyboard or mouse, and the clock has one bank of memory.",
  },
  {
    lines: /^Console: colour/u,
    why: "Our machine has no display.",
  },
  {
    lines: /^(tsc: |clocksource: |sched_clock: |Calibrating delay loop|smpboot: Total of|APIC )/u,
    why: "How fast each clock runs against the others: one unit is one nanosecond here, and QEMU's instruction counter is only near that.",
  },
  {
    lines: /^audit: type=2000/u,
    why: "It has the calendar's time in it.",
  },
];
