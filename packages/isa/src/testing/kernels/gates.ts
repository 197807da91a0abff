/** Call gates, interrupt gates and conforming code, between privilege levels. */
import {
  PLACE,
  protectedModeText,
  SEGMENT,
  segment,
  writeDescriptor,
  writeGate,
} from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const CALL = 'Intel SDM Vol. 3A §5.8.4, "Accessing a Code Segment Through a Call Gate"';
const STACKS = 'Intel SDM Vol. 3A §5.8.5, "Stack Switching"';
const RETURN = 'Intel SDM Vol. 3A §5.8.6, "Returning from a Called Procedure"';
const CONFORMING = 'Intel SDM Vol. 3A §5.8.1.2, "Accessing Conforming Code Segments"';
const HANDLERS =
  'Intel SDM Vol. 3A §6.12.1.2, "Protection of Exception- and Interrupt-Handler Procedures"';

const CALL_GATE_32 = 0x8c;
const CALL_GATE_16 = 0x84;
const DPL_3 = 0x60;
const CONFORMING_CODE = 0x9f;
const GATE = SEGMENT.own;
const USER_STACK = PLACE.userStack;

function gate(offset: string, flags: number, count = 0, selector: number = SEGMENT.code): string {
  return writeGate(PLACE.gdt + GATE, selector, offset, flags, count);
}

/** Goes on in user code, which ends with `int 0x30` (DPL 3): the handler returns EAX to the case. */
function toUser(text: string): string {
  return `
    ${writeGate(PLACE.idt + 0x30 * 8, SEGMENT.code, "fromUser", 0xee00 >> 8)}
    push ${SEGMENT.userData | 3}
    push ${USER_STACK}
    push 2
    push ${SEGMENT.user | 3}
    push userCode
    retUser: iretd
    userCode:
    ${text}
    int 0x30
    fromUser:
  `;
}

const cases: readonly KernelCase[] = [
  {
    name: "a call through a gate of the same level pushes CS and EIP",
    reference: CALL,
    text: `
      ${gate("procedure", CALL_GATE_32)}
      call ${GATE}:0
    back:
      mov eax, esp
      jmp done
    procedure:
      mov eax, [esp]
      sub eax, back
      add esp, 8
      mov edx, esp
      sub esp, 8
      retf
    done: sub eax, ${PLACE.stack}`,
    expected: "00000000",
  },
  {
    name: "a gate of 16 bits pushes words and leads to a 16-bit offset",
    reference: CALL,
    text: `
      ${gate("procedure", CALL_GATE_16)}
      xor eax, eax
      call ${GATE}:0
      jmp done
    procedure:
      mov eax, ${PLACE.stack}
      sub eax, esp
      o16 retf
    done:`,
    expected: "00000004",
  },
  {
    name: "a call from level 3 switches stacks and copies parameters",
    reference: STACKS,
    text: `
      ${gate("procedure", CALL_GATE_32 | DPL_3, 2)}
      ${toUser(`
        push 0x11
        push 0x22
        call ${GATE}:0
        mov ebx, esp
        sub ebx, ${USER_STACK}
        shl ebx, 16
        or eax, ebx
      `)}
      jmp done
    procedure:
      mov eax, [esp+8]
      shl eax, 8
      or eax, [esp+12]
      retf 8
    done:`,
    expected: "00002211",
  },
  {
    name: "the frame of such a call has SS, ESP, parameters, CS and EIP",
    reference: STACKS,
    text: `
      ${gate("procedure", CALL_GATE_32 | DPL_3, 1)}
      ${toUser(`push 0x77\ncall ${GATE}:0`)}
      jmp done
    procedure:
      mov eax, ${PLACE.innerStack}
      sub eax, esp
      shl eax, 8
      or al, [esp+16]
      shl eax, 8
      or al, [esp+4]
      retf 4
    done:`,
    expected: "00142b23",
  },
  {
    name: "returning to level 3 empties data segments of level 0",
    reference: RETURN,
    text: `
      ${gate("procedure", CALL_GATE_32 | DPL_3)}
      ${toUser(`call ${GATE}:0\nxor eax, eax\nmov ax, fs\nmov bx, ds`)}
      jmp done
    procedure:
      mov ax, ${SEGMENT.data}
      mov fs, ax
      retf
    done:`,
    expected: "00000000",
  },
  {
    name: "a gate whose DPL is below CPL is #GP with its selector",
    reference: CALL,
    text: `
      ${gate("done", CALL_GATE_32)}
      ${toUser(`at: call ${GATE}:0`)}
    done:`,
    expected: "0d 00000040 +00",
  },
  {
    name: "a gate that is not present is #NP with its selector",
    reference: CALL,
    text: `${gate("done", CALL_GATE_32 & 0x7f)}\nat: call ${GATE}:0\ndone:`,
    expected: "0b 00000040 +00",
  },
  {
    name: "a jump through a gate to more privileged code is #GP",
    reference: CALL,
    text: `
      ${gate("done", CALL_GATE_32 | DPL_3)}
      ${toUser(`at: jmp ${GATE}:0`)}
    done:`,
    expected: "0d 00000008 +00",
  },
  {
    name: "an inner stack of another level is #TS with its selector",
    reference: STACKS,
    text: `
      mov dword ptr [${PLACE.tss + 12}], ${PLACE.innerStack}
      mov dword ptr [${PLACE.tss + 16}], ${SEGMENT.data}
      ${writeDescriptor(SEGMENT.third, segment(0xf_0000, 0xffff, 0xbb, 4))}
      ${gate("done", CALL_GATE_32 | DPL_3, 0, SEGMENT.third)}
      ${toUser(`at: call ${GATE}:0`)}
    done:`,
    expected: "0a 00000010 +00",
  },
  {
    name: "conforming code runs at the caller's level",
    reference: CONFORMING,
    text: `
      ${writeDescriptor(SEGMENT.own, segment(0xf_0000, 0xffff, CONFORMING_CODE, 4))}
      ${toUser(`
        jmp ${SEGMENT.own}:conforming
      conforming:
        xor eax, eax
        mov ax, cs
      `)}`,
    expected: "00000043",
  },
  {
    name: "code of level 0 is not called from level 3 directly",
    reference: 'Intel SDM Vol. 3A §5.8.1.1, "Accessing Nonconforming Code Segments"',
    text: toUser(`at: call ${SEGMENT.code}:0`),
    expected: "0d 00000008 +00",
  },
  {
    name: "INT n through a gate of level 0 is #GP with the vector",
    reference: HANDLERS,
    text: toUser("at: int 0x21"),
    expected: "0d 0000010a +00",
  },
  {
    name: "CLI at level 3 with IOPL 0 is #GP(0)",
    reference: 'Intel SDM Vol. 1 §19.5.1, "I/O Privilege Level"',
    text: toUser("at: cli"),
    expected: "0d 00000000 +00",
  },
  {
    name: "a port whose bit in the bitmap is clear is allowed, with all of its bytes",
    reference: 'Intel SDM Vol. 1 §19.5.2, "I/O Permission Bit Map"',
    text: `
      mov dword ptr [${PLACE.tss + 0x68}], 0xfffffffe
      mov byte ptr [${PLACE.tss + 0x6c}], 0xff
      ${writeDescriptor(SEGMENT.tss, segment(PLACE.tss, 0x6c, 0x89, 0))}
      mov ax, ${SEGMENT.tss}
      ltr ax
      ${toUser("in al, 0\nat: in ax, 0")}`,
    expected: "0d 00000000 +00",
  },
];

/** Labels of a case are its own. */
function withOwnLabels(text: string, number: number): string {
  return text.replaceAll(
    /\b(procedure|done|back|conforming|userCode|fromUser|retUser)\b/gu,
    `$1${number}`,
  );
}

const own = cases.map((each, number) => ({ ...each, text: withOwnLabels(each.text, number) }));

export const gates: Kernel = {
  topic: "Gates and privilege levels",
  cases: own,
  text: protectedModeText(own),
};
