/** Hardware task switches, with 32-bit and 16-bit TSSs. */
import {
  PLACE,
  protectedModeText,
  SEGMENT,
  segment,
  writeDescriptor,
  writeGate,
} from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const SWITCH = 'Intel SDM Vol. 3A §8.3, "Task Switching"';
const LINK = 'Intel SDM Vol. 3A §8.4, "Task Linking"';
const GATE = 'Intel SDM Vol. 3A §8.2.5, "Task-Gate Descriptor"';
const SMALL = 'Intel SDM Vol. 3A §8.6, "16-Bit Task-State Segment (TSS)"';

const { tss, otherTss: other } = PLACE;
const AVAILABLE_32 = 0x89;
const AVAILABLE_16 = 0x81;

/** Fills the other task's TSS: its code is at a label, its EAX is 0x1234. */
function otherTask(entry: string, more = ""): string {
  return `
    ${writeDescriptor(SEGMENT.otherTss, segment(other, 0x67, AVAILABLE_32, 0))}
    mov edi, ${other}
    mov ecx, 26
    xor eax, eax
    rep stosd
    mov dword ptr [${other + 0x20}], ${entry}
    mov dword ptr [${other + 0x24}], 2
    mov dword ptr [${other + 0x28}], 0x1234
    mov dword ptr [${other + 0x38}], ${PLACE.otherStack}
    mov dword ptr [${other + 0x48}], ${SEGMENT.data}
    mov dword ptr [${other + 0x4c}], ${SEGMENT.code}
    mov dword ptr [${other + 0x50}], ${SEGMENT.data}
    mov dword ptr [${other + 0x54}], ${SEGMENT.data}
    ${more}
  `;
}

/** Makes the first task's TSS the current one again, not nested, whichever task the case ended in. */
const AGAIN = `
  ${writeDescriptor(SEGMENT.tss, segment(tss, 0x67, AVAILABLE_32, 0))}
  mov cx, ${SEGMENT.tss}
  ltr cx
  pushfd
  and dword ptr [esp], 0xffffbfff
  popfd
  clts
`;

const cases: readonly KernelCase[] = [
  {
    name: "JMP to a TSS saves the old task and loads the new one",
    reference: SWITCH,
    text: `
      ${otherTask("task")}
      mov eax, 0x5678
      mov ebx, 0x9abc
      jmp ${SEGMENT.otherTss}:0
    task:
      shl eax, 16
      or eax, [${tss + 0x28}]
    `,
    expected: "12345678",
  },
  {
    name: "the new task has its ESP, and CR0.TS is set",
    reference: SWITCH,
    text: `
      ${otherTask("task")}
      jmp ${SEGMENT.otherTss}:0
    task:
      mov ebx, cr0
      mov eax, esp
      shl ebx, 28
      shr ebx, 15
      or eax, ebx
    `,
    expected: "0001b000",
  },
  {
    name: "JMP makes the old TSS available and the new one busy",
    reference: SWITCH,
    text: `
      ${otherTask("task")}
      jmp ${SEGMENT.otherTss}:0
    task:
      movzx eax, byte ptr [${PLACE.gdt + SEGMENT.tss + 5}]
      shl eax, 8
      mov al, [${PLACE.gdt + SEGMENT.otherTss + 5}]
    `,
    expected: "0000898b",
  },
  {
    name: "CALL nests: NT, the link, and two busy TSSs",
    reference: LINK,
    text: `
      ${otherTask("task")}
      call ${SEGMENT.otherTss}:0
    task:
      pushfd
      pop eax
      and eax, 0x4000
      or al, [${other}]
      shl eax, 8
      mov al, [${PLACE.gdt + SEGMENT.tss + 5}]
      shl eax, 8
      mov al, [${PLACE.gdt + SEGMENT.otherTss + 5}]
    `,
    expected: "40308b8b",
  },
  {
    name: "IRET of a nested task returns behind the call",
    reference: LINK,
    text: `
      ${otherTask("task")}
      mov eax, 0x42
      call ${SEGMENT.otherTss}:0
      str bx
      shl ebx, 16
      or eax, ebx
      jmp done
    task:
      mov eax, 0x55
      iretd
    done:
    `,
    expected: "00300042",
  },
  {
    name: "IRET leaves the nested TSS available, with NT clear in it",
    reference: LINK,
    text: `
      ${otherTask("task")}
      call ${SEGMENT.otherTss}:0
      movzx eax, byte ptr [${PLACE.gdt + SEGMENT.otherTss + 5}]
      shl eax, 16
      mov ebx, [${other + 0x24}]
      and ebx, 0x4000
      or eax, ebx
      jmp done
    task: iretd
    done:
    `,
    expected: "00890000",
  },
  {
    name: "a task gate in the GDT",
    reference: GATE,
    text: `
      ${otherTask("task")}
      ${writeGate(PLACE.gdt + SEGMENT.own, SEGMENT.otherTss, "0", 0x85)}
      call ${SEGMENT.own}:0
      jmp done
    task: mov dword ptr [${tss + 0x28}], 0x600d
      iretd
    done:
    `,
    expected: "0000600d",
  },
  {
    name: "an exception through a task gate has its error code on the new stack",
    reference: 'Intel SDM Vol. 3A §6.12.2, "Interrupt Tasks"',
    text: `
      ${otherTask("task")}
      ${writeGate(PLACE.idt + 13 * 8, SEGMENT.otherTss, "0", 0x85)}
      mov ax, 0x7f8
      mov fs, ax
    task:
      pop ebx
      mov eax, esp
      shl eax, 16
      mov ax, bx
      mov ebx, eax
      ${writeGate(PLACE.idt + 13 * 8, SEGMENT.code, "stubs + 13*8", 0x8e)}
      mov eax, ebx
    `,
    expected: "b00007f8",
  },
  {
    name: "INT n through a task gate",
    reference: 'Intel SDM Vol. 3A §6.12.2, "Interrupt Tasks"',
    text: `
      ${otherTask("task")}
      ${writeGate(PLACE.idt + 0x31 * 8, SEGMENT.otherTss, "0", 0x85)}
      mov eax, 0x31
      int 0x31
      jmp done
    task: add dword ptr [${tss + 0x28}], 0x100
      iretd
    done:
    `,
    expected: "00000131",
  },
  {
    name: "a jump to the busy TSS is #GP with its selector",
    reference: SWITCH,
    text: `at: jmp ${SEGMENT.tss}:0`,
    expected: "0d 00000030 +00",
  },
  {
    name: "a TSS that is not present is #NP with its selector",
    reference: SWITCH,
    text: `
      ${writeDescriptor(SEGMENT.otherTss, segment(other, 0x67, 0x09, 0))}
      at: jmp ${SEGMENT.otherTss}:0`,
    expected: "0b 00000038 +00",
  },
  {
    name: "a TSS that is too small is #TS with its selector",
    reference: SWITCH,
    text: `
      ${writeDescriptor(SEGMENT.otherTss, segment(other, 0x66, AVAILABLE_32, 0))}
      at: jmp ${SEGMENT.otherTss}:0`,
    expected: "0a 00000038 +00",
  },
  {
    name: "a stack segment that does not fit is #TS of the new task",
    reference: SWITCH,
    text: `
      ${otherTask("at", `mov dword ptr [${other + 0x50}], ${SEGMENT.userData | 3}`)}
      mov dword ptr [${other + 0x38}], ${PLACE.otherStack}
      ${writeGate(PLACE.idt + 10 * 8, SEGMENT.second, "0", 0x85)}
      ${writeDescriptor(SEGMENT.second, segment(PLACE.thirdTss, 0x67, AVAILABLE_32, 0))}
      mov esi, ${other}
      mov edi, ${PLACE.thirdTss}
      mov ecx, 26
      rep movsd
      mov dword ptr [${PLACE.thirdTss + 0x20}], handler
      mov dword ptr [${PLACE.thirdTss + 0x50}], ${SEGMENT.data}
      jmp ${SEGMENT.otherTss}:0
      at: nop
    handler:
      pop ebx
      mov eax, [${other + 0x20}]
      sub eax, at
      shl eax, 16
      mov ax, bx
      mov ebx, eax
      ${writeGate(PLACE.idt + 10 * 8, SEGMENT.code, "stubs + 10*8", 0x8e)}
      mov eax, ebx
    `,
    expected: "00000028",
    qemu: { prints: "fff90028", why: "QEMU saves the address of the jump in the new task's TSS." },
  },
  {
    name: "a task of a 16-bit TSS, and back",
    reference: SMALL,
    text: `
      ${writeDescriptor(SEGMENT.otherTss, segment(other, 0x2b, AVAILABLE_16, 0))}
      mov edi, ${other}
      mov ecx, 26
      xor eax, eax
      rep stosd
      mov word ptr [${other + 0x0e}], task
      mov word ptr [${other + 0x10}], 2
      mov word ptr [${other + 0x12}], 0x7e57
      mov word ptr [${other + 0x1a}], ${PLACE.otherStack & 0xfffe}
      mov word ptr [${other + 0x22}], ${SEGMENT.data}
      mov word ptr [${other + 0x24}], ${SEGMENT.code}
      mov word ptr [${other + 0x26}], ${SEGMENT.data}
      mov word ptr [${other + 0x28}], ${SEGMENT.data}
      mov eax, 0x1111
      call ${SEGMENT.otherTss}:0
      jmp done
    task:
      mov [${tss + 0x28}], ax
      iretd
    done:
    `,
    expected: "00007e57",
  },
];

const own = cases.map((each, number) => ({
  ...each,
  text: `${AGAIN}\n${each.text.replaceAll(/\b(task|done|handler)\b/gu, `$1${number}`)}`,
}));

export const taskSwitch: Kernel = {
  topic: "Task switches",
  cases: own,
  text: protectedModeText(own, "", ""),
};
