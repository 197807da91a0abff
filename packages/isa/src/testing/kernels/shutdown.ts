/**
 * Shutdown in each mode: an exception, the exception of its delivery, and that of the double fault's. Each kernel shows that
 * it is where it should be, and ends there.
 *
 * Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 8): the processor enters shutdown when the
 * call of the double fault's handler fails.
 */
import { SHUTDOWN } from "./emulators.ts";
import { longModeText, PLACE_64, SEGMENT_64, user64, withOwnLabels64 } from "./long-mode.ts";
import { PLACE, protectedModeText, SEGMENT } from "./protected-mode.ts";
import { FINISH, PRINTING, type Kernel, type KernelCase } from "./rom.ts";

const REFERENCE =
  'Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 8, "Double Fault Exception")';

/** A case that shows the mode, and the case that does not come back. */
function cases(shows: string, expected: string, fatal: string): readonly KernelCase[] {
  return [
    { name: "it is in this mode", reference: REFERENCE, text: shows, expected },
    {
      name: "without a way to #DF it shuts down",
      reference: REFERENCE,
      text: fatal,
      expected: SHUTDOWN,
    },
  ];
}

const realCases = cases("", "00000010", "");
const real: Kernel = {
  topic: "Shutdown in real-address mode",
  cases: realCases,
  text: `
    bits 16
    start:
      cli
      xor ax, ax
      mov ss, ax
      mov sp, ${PLACE.stack}
      mov eax, cr0
      and eax, 0x11
      call hex8
      call newline
      o32 lidt cs:[emptyTable]
      ud2
      ${FINISH}
    ${PRINTING}
    emptyTable: dw 0
      dd 0
  `,
};

const TABLE_AT = PLACE.data;
/** An interrupt table without entries, from memory: the ROM is not in the data segment. */
const LOAD_EMPTY = `mov dword ptr [${TABLE_AT}], 0\nmov dword ptr [${TABLE_AT + 4}], 0\nlidt [${TABLE_AT}]`;

function inProtectedMode(topic: string, list: readonly KernelCase[]): Kernel {
  return { topic, cases: list, text: protectedModeText(list) };
}

const protected32 = inProtectedMode(
  "Shutdown in protected mode",
  cases("mov eax, cr0\nand eax, 1", "00000001", `${LOAD_EMPTY}\nud2`),
);

const ROM = 0xf_0000;
const protected16 = inProtectedMode(
  "Shutdown in protected mode of 16 bits",
  cases(
    `jmp ${SEGMENT.rom16}:small
     bits 16
     small: mov eax, cs
     jmp ${SEGMENT.code}:large
     bits 32
     large: nop`,
    `000000${SEGMENT.rom16.toString(16)}`,
    `${LOAD_EMPTY}
     jmp ${SEGMENT.rom16}:fatal
     bits 16
     fatal: ud2
     bits 32`,
  ),
);

const user32 = inProtectedMode(
  "Shutdown from level 3",
  cases(
    "mov eax, cr0\nand eax, 1",
    "00000001",
    `${LOAD_EMPTY}
     push ${SEGMENT.userData | 3}
     push ${PLACE.userStack}
     push 2
     push ${SEGMENT.user | 3}
     push fatal
     iretd
     fatal: ud2`,
  ),
);

/** EFLAGS.VM, in what IRET pops. */
const VIRTUAL_8086 = 0x2_0002;
const virtual8086 = inProtectedMode(
  "Shutdown in virtual-8086 mode",
  cases(
    "mov eax, cr0\nand eax, 1",
    "00000001",
    `${LOAD_EMPTY}
     push 0
     push 0
     push 0
     push 0
     push 0x900
     push 0x1000
     push ${VIRTUAL_8086}
     push ${ROM >> 4}
     push fatal
     iretd
     fatal: ud2`,
  ),
);

const { directory } = PLACE;
const paged = inProtectedMode(
  "Shutdown under 32-bit paging",
  cases(
    "mov eax, cr0\nand eax, 1",
    "00000001",
    `mov dword ptr [${directory}], 0x83
     mov eax, 0x10
     mov cr4, eax
     mov eax, ${directory}
     mov cr3, eax
     mov eax, cr0
     bts eax, 31
     mov cr0, eax
     mov esp, 0x800000
     push eax`,
  ),
);

function inLongMode(topic: string, list: readonly KernelCase[]): Kernel {
  const own = withOwnLabels64(list, ["fatal"]);
  return { topic, cases: own, text: longModeText(own) };
}

const LOAD_EMPTY_64 = `
  mov qword ptr [${PLACE_64.data}], 0
  mov qword ptr [${PLACE_64.data + 8}], 0
  lidt [${PLACE_64.data}]
`;

const long64 = inLongMode(
  "Shutdown in 64-bit mode",
  cases("mov eax, cs", "00000008", `${LOAD_EMPTY_64}\nud2`),
);

const longStack = inLongMode(
  "Shutdown in 64-bit mode for want of a stack",
  cases("mov eax, cs", "00000008", `mov esp, ${PLACE_64.pages + 0x1000}\npush rax`),
);

const long3 = inLongMode(
  "Shutdown from level 3 of 64-bit mode",
  cases("mov eax, cs", "00000008", `${LOAD_EMPTY_64}\n${user64("ud2")}`),
);

const compatibility = inLongMode(
  "Shutdown in compatibility mode",
  cases(
    "mov eax, cs",
    "00000008",
    `${LOAD_EMPTY_64}
     push ${SEGMENT_64.userData | 3}
     push ${PLACE_64.userStack}
     push 2
     push ${SEGMENT_64.user32 | 3}
     push fatal
     iretq
     bits 32
     fatal: ud2
     bits 64`,
  ),
);

export const shutdowns: readonly Kernel[] = [
  real,
  protected16,
  protected32,
  user32,
  virtual8086,
  paged,
  long64,
  longStack,
  long3,
  compatibility,
];
