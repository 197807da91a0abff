/**
 * The DSDT: what no register tells an operating system about this PC.
 *
 * A PCI host bridge with its windows and the lines of its slots, the serial port, the clock, and how to switch off.
 */
import {
  firmwareConfigurationPort,
  hpetBase,
  pciLines,
  pciWindowBase,
  pciWindowBytes,
  powerEventPort,
  softOffType,
} from "../platform.ts";
import {
  busNumbers,
  device,
  eisaId,
  fixedMemory,
  integer,
  ioPorts,
  irq,
  memoryWindow,
  name,
  packageOf,
  portWindow,
  resources,
  scope,
  string,
  type Aml,
} from "./aml.ts";

const slots = 32;

export function dsdtCode(): Aml {
  return [
    ...name("\\_S5", packageOf(integer(softOffType), integer(softOffType), integer(0), integer(0))),
    ...scope(
      "\\_SB",
      device(
        "PCI0",
        name("_HID", eisaId("PNP0A03")),
        name("_UID", integer(0)),
        name(
          "_CRS",
          resources(
            busNumbers(0, 0),
            ioPorts(0xcf8, 8),
            portWindow(0x1000, 0xffff),
            memoryWindow(pciWindowBase, pciWindowBytes),
          ),
        ),
        name("_PRT", routes()),
      ),
      device(
        "COM1",
        name("_HID", eisaId("PNP0501")),
        name("_UID", integer(1)),
        name("_CRS", resources(ioPorts(0x3f8, 8), irq(4))),
      ),
      device(
        "RTC0",
        name("_HID", eisaId("PNP0B00")),
        name("_CRS", resources(ioPorts(0x70, 2), irq(8))),
      ),
      device(
        "HPET",
        name("_HID", eisaId("PNP0103")),
        name("_CRS", resources(fixedMemory(hpetBase, 0x400))),
      ),
      device(
        "FWCF",
        name("_HID", string("QEMU0002")),
        name("_STA", integer(0x0b)), // present, enabled, working, and not shown to people
        name("_CRS", resources(ioPorts(firmwareConfigurationPort, 12))),
      ),
      device(
        "MRES",
        name("_HID", eisaId("PNP0C02")),
        name("_CRS", resources(ioPorts(powerEventPort, 16))),
      ),
    ),
  ];
}

/** Section 6.2.13, "_PRT (PCI Routing Table)": pin A of a slot has a line of its own kind, without a link device. */
function routes(): Aml {
  const entries = Array.from({ length: slots }, (_, slot) =>
    packageOf(
      integer(slot * 0x1_0000 + 0xffff),
      integer(0),
      integer(0),
      integer(pciLines[slot % pciLines.length] ?? pciLines[0]),
    ),
  );
  return packageOf(...entries);
}
