/** Where the parts of the PC lie that its ACPI tables describe. Boards and tables are made from the same numbers. */

/** Line of the system control interrupt. */
export const sciLine = 9;
/** Lines that PCI devices share: even device numbers have the first, odd ones the second. */
export const pciLines = [10, 11] as const;

/** Ports of the ACPI fixed hardware: event block (4 bytes), control block (2), timer (4). */
export const powerEventPort = 0x600;
export const powerControlPort = 0x604;
export const powerTimerPort = 0x608;
/** SLP_TYPa of S5, soft off. */
export const softOffType = 5;

/** The reset control register of a PC's chip set, and the value that resets everything. */
export const resetPort = 0xcf9;
export const resetValue = 6;

/** Selector; the data port is the next one, and requests for DMA are 4 behind it. */
export const firmwareConfigurationPort = 0x510;

export const hpetBase = 0xfed0_0000;
/** Line of the CMOS clock, or of the HPET's second timer in legacy replacement mode. */
export const clockLine = 8;

/** Physical addresses in which memory-mapped registers of PCI devices lie. */
export const pciWindowBase = 0xe000_0000;
export const pciWindowBytes = 0x1ec0_0000;
