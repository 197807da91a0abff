/**
 * Checks on guest segment registers.
 *
 * Intel SDM Vol. 3C §27.3.1.2, "Checks on Guest Segment Registers".
 */
import { isCanonical } from "@ringside/isa";
import { ENTRY_CONTROL } from "./controls.ts";
import { VIRTUAL_8086, type EntryCheck, type EntryView } from "./entry-check.ts";
import type { FieldKey } from "./fields.ts";

const REFERENCE = 'Intel SDM Vol. 3C §27.3.1.2, "Checks on Guest Segment Registers"';
const UNUSABLE = 0x1_0000;
const PRESENT = 0x80;
const CODE_OR_DATA = 0x10;
const LONG = 0x2000;
const BIG = 0x4000;
const GRANULAR = 0x8000;
const RESERVED = 0xfffe_0f00;
/** Type of accessed, writable data, which CS has in real mode. */
const DATA_TYPE = 3;
/** Access rights of every segment in virtual-8086 mode. */
const V8086_RIGHTS = 0xf3;

type Register = "ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "LDTR" | "TR";

export function isLongGuest(view: EntryView): boolean {
  return view.control("VM_ENTRY_CONTROLS", ENTRY_CONTROL.IA32E_MODE_GUEST);
}

function isVirtual8086(view: EntryView): boolean {
  return view.has(VIRTUAL_8086);
}

const selectorOf = (register: Register): FieldKey => `GUEST_${register}_SELECTOR`;
const baseOf = (register: Register): FieldKey => `GUEST_${register}_BASE`;
const limitOf = (register: Register): FieldKey => `GUEST_${register}_LIMIT`;
const rightsOf = (register: Register): FieldKey => `GUEST_${register}_ACCESS_RIGHTS`;

const rights = (view: EntryView, register: Register): number => view.number(rightsOf(register));
const typeOf = (view: EntryView, register: Register): number => rights(view, register) & 0xf;
const dplOf = (view: EntryView, register: Register): number => (rights(view, register) >> 5) & 3;
const rplOf = (view: EntryView, register: Register): number =>
  view.number(selectorOf(register)) & 3;
const isUsable = (view: EntryView, register: Register): boolean =>
  (rights(view, register) & UNUSABLE) === 0;

function check(
  name: string,
  field: FieldKey,
  expected: string,
  holds: (view: EntryView) => boolean,
): EntryCheck {
  return { name, field, expected, reference: REFERENCE, holds };
}

const DATA: readonly Register[] = ["SS", "DS", "ES", "FS", "GS"];
const ALL: readonly Register[] = ["CS", ...DATA];

/** Whether a code or data register is checked for protected mode: CS always, the others while usable. */
function isChecked(view: EntryView, register: Register): boolean {
  return !isVirtual8086(view) && (register === "CS" || isUsable(view, register));
}

const selectors: readonly EntryCheck[] = [
  check(
    "guest-tr-ti",
    "GUEST_TR_SELECTOR",
    "have TI 0",
    (view) => (view.number("GUEST_TR_SELECTOR") & 4) === 0,
  ),
  check(
    "guest-ldtr-ti",
    "GUEST_LDTR_SELECTOR",
    "have TI 0 while LDTR is usable",
    (view) => !isUsable(view, "LDTR") || (view.number("GUEST_LDTR_SELECTOR") & 4) === 0,
  ),
  check(
    "guest-ss-rpl",
    "GUEST_SS_SELECTOR",
    "have the RPL of CS outside virtual-8086 mode, in a guest that is not unrestricted",
    (view) => isVirtual8086(view) || view.isUnrestricted || rplOf(view, "SS") === rplOf(view, "CS"),
  ),
];

const bases: readonly EntryCheck[] = [
  ...ALL.map((register) =>
    check(
      `v8086-${register.toLowerCase()}-base`,
      baseOf(register),
      "be the selector shifted left by 4 bits in virtual-8086 mode",
      (view) =>
        !isVirtual8086(view) || view.get(baseOf(register)) === view.get(selectorOf(register)) << 4n,
    ),
  ),
  ...(["TR", "FS", "GS"] as const).map((register) =>
    check(
      `guest-${register.toLowerCase()}-base`,
      baseOf(register),
      "contain a canonical address",
      (view) => isCanonical(view.get(baseOf(register))),
    ),
  ),
  check(
    "guest-ldtr-base",
    "GUEST_LDTR_BASE",
    "contain a canonical address while LDTR is usable",
    (view) => !isUsable(view, "LDTR") || isCanonical(view.get("GUEST_LDTR_BASE")),
  ),
  ...(["CS", "SS", "DS", "ES"] as const).map((register) =>
    check(
      `guest-${register.toLowerCase()}-base`,
      baseOf(register),
      register === "CS"
        ? "have bits 63:32 zero"
        : `have bits 63:32 zero while ${register} is usable`,
      (view) =>
        (register !== "CS" && !isUsable(view, register)) ||
        view.get(baseOf(register)) <= 0xffff_ffffn,
    ),
  ),
];

const virtual8086: readonly EntryCheck[] = ALL.flatMap((register) => [
  check(
    `v8086-${register.toLowerCase()}-limit`,
    limitOf(register),
    "be 0000FFFFH in virtual-8086 mode",
    (view) => !isVirtual8086(view) || view.number(limitOf(register)) === 0xffff,
  ),
  check(
    `v8086-${register.toLowerCase()}-rights`,
    rightsOf(register),
    "be 000000F3H in virtual-8086 mode",
    (view) => !isVirtual8086(view) || rights(view, register) === V8086_RIGHTS,
  ),
]);

function typeChecks(register: Register): EntryCheck {
  const name = `guest-${register.toLowerCase()}-type`;
  const field = rightsOf(register);
  if (register === "CS") {
    return check(
      name,
      field,
      "have type 9, 11, 13 or 15: accessed code; or 3, accessed data, in an unrestricted guest",
      (view) =>
        !isChecked(view, "CS") ||
        [9, 11, 13, 15].includes(typeOf(view, "CS")) ||
        (typeOf(view, "CS") === DATA_TYPE && view.isUnrestricted),
    );
  }
  if (register === "SS") {
    return check(
      name,
      field,
      "have type 3 or 7: accessed, writable data",
      (view) => !isChecked(view, "SS") || [3, 7].includes(typeOf(view, "SS")),
    );
  }
  return check(name, field, "be accessed, and readable if code", (view) => {
    if (!isChecked(view, register)) return true;
    const type = typeOf(view, register);
    return (type & 1) !== 0 && ((type & 8) === 0 || (type & 2) !== 0);
  });
}

function dplChecks(register: Register): readonly EntryCheck[] {
  const name = `guest-${register.toLowerCase()}-dpl`;
  const field = rightsOf(register);
  if (register === "CS") {
    return [
      check(
        name,
        field,
        "have the DPL of SS, at most that for conforming code, 0 for data",
        (view) => {
          if (!isChecked(view, "CS")) return true;
          if (typeOf(view, "CS") === DATA_TYPE) return dplOf(view, "CS") === 0;
          const isConforming = typeOf(view, "CS") >= 13;
          return isConforming
            ? dplOf(view, "CS") <= dplOf(view, "SS")
            : dplOf(view, "CS") === dplOf(view, "SS");
        },
      ),
    ];
  }
  if (register === "SS") {
    return [
      check(
        name,
        field,
        "have the RPL of SS as its DPL in a guest that is not unrestricted",
        (view) =>
          // Unusable or not.
          isVirtual8086(view) || view.isUnrestricted || dplOf(view, "SS") === rplOf(view, "SS"),
      ),
      check(
        "guest-ss-dpl-real-mode",
        field,
        "have DPL 0 while CR0.PE is 0 or CS is data",
        (view) =>
          isVirtual8086(view) ||
          dplOf(view, "SS") === 0 ||
          ((view.number("GUEST_CR0") & 1) !== 0 && typeOf(view, "CS") !== DATA_TYPE),
      ),
    ];
  }
  return [
    check(
      name,
      field,
      "have a DPL of at least the RPL, unless it is conforming code or the guest is unrestricted",
      (view) =>
        !isChecked(view, register) ||
        view.isUnrestricted ||
        typeOf(view, register) > 11 ||
        dplOf(view, register) >= rplOf(view, register),
    ),
  ];
}

/** Whether a limit is one that the granularity can express. Intel SDM Vol. 3C §27.3.1.2, "Checks on Guest Segment Registers". */
function granularityFits(view: EntryView, register: Register): boolean {
  const limit = view.number(limitOf(register));
  const isGranular = (rights(view, register) & GRANULAR) !== 0;
  if ((limit & 0xfff) !== 0xfff && isGranular) return false;
  return limit <= 0xf_ffff || isGranular;
}

function commonChecks(register: Register): readonly EntryCheck[] {
  const name = (what: string): string => `guest-${register.toLowerCase()}-${what}`;
  const field = rightsOf(register);
  const applies = (view: EntryView): boolean =>
    register === "TR"
      ? true
      : register === "LDTR"
        ? isUsable(view, "LDTR")
        : isChecked(view, register);
  const isSystem = register === "TR" || register === "LDTR";
  return [
    check(
      name("s"),
      field,
      isSystem ? "have S 0" : "have S 1",
      (view) => !applies(view) || ((rights(view, register) & CODE_OR_DATA) === 0) === isSystem,
    ),
    check(
      name("present"),
      field,
      "have P 1",
      (view) => !applies(view) || (rights(view, register) & PRESENT) !== 0,
    ),
    check(
      name("reserved"),
      field,
      "have bits 11:8 and 31:17 zero",
      (view) => !applies(view) || (rights(view, register) & RESERVED) === 0,
    ),
    check(
      name("granularity"),
      field,
      "have the granularity that its limit needs",
      (view) => !applies(view) || granularityFits(view, register),
    ),
  ];
}

const system: readonly EntryCheck[] = [
  check(
    "guest-tr-type",
    "GUEST_TR_ACCESS_RIGHTS",
    "be a busy TSS: 11, or 3 outside IA-32e mode",
    (view) => typeOf(view, "TR") === 11 || (typeOf(view, "TR") === 3 && !isLongGuest(view)),
  ),
  check("guest-tr-usable", "GUEST_TR_ACCESS_RIGHTS", "be usable", (view) => isUsable(view, "TR")),
  ...commonChecks("TR"),
  check(
    "guest-ldtr-type",
    "GUEST_LDTR_ACCESS_RIGHTS",
    "be an LDT: 2",
    (view) => !isUsable(view, "LDTR") || typeOf(view, "LDTR") === 2,
  ),
  ...commonChecks("LDTR"),
];

export const segmentChecks: readonly EntryCheck[] = [
  ...selectors,
  ...bases,
  ...virtual8086,
  ...ALL.map(typeChecks),
  ...ALL.flatMap(dplChecks),
  ...ALL.flatMap(commonChecks),
  check(
    "guest-cs-long-and-big",
    "GUEST_CS_ACCESS_RIGHTS",
    "have D/B 0 while L is 1 in an IA-32e mode guest",
    (view) =>
      isVirtual8086(view) ||
      !isLongGuest(view) ||
      (rights(view, "CS") & LONG) === 0 ||
      (rights(view, "CS") & BIG) === 0,
  ),
  ...system,
];
