/** What a machine has beside the small board that benchmarks run on. */

/**
 * The whole PC: I/O APIC, HPET, ACPI, 8042, PCI, and what is plugged in. A machine without one is the small board:
 * 8259 pair, 8254, clock, serial port, local APIC.
 */
export interface Hardware {
  /** Whether ACPI tables are handed to the kernel. Default true. The hardware is there either way. */
  readonly acpi?: boolean;
}
