/** Alignment checks at privilege level 3. */
import { PLACE, protectedModeText, SEGMENT, writeGate } from "./protected-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const CHECK = 'Intel SDM Vol. 3A §6.15, "Exception and Interrupt Reference" (Interrupt 17)';
const FLAGS_AC = 0x4_0002;
const { data } = PLACE;

/** Runs code at level 3 with EFLAGS.AC; `int 0x30` gives EAX to the case. */
function user(text: string, flags = FLAGS_AC): string {
  return `
    mov eax, cr0
    or eax, 0x40000
    mov cr0, eax
    ${writeGate(PLACE.idt + 0x30 * 8, SEGMENT.code, "handler", 0xee)}
    mov dword ptr [${data}], 0x44332211
    mov dword ptr [${data + 4}], 0x88776655
    push ${SEGMENT.userData | 3}
    push ${PLACE.userStack}
    push ${flags}
    push ${SEGMENT.user | 3}
    push code
    iretd
    code:
    mov cx, ${SEGMENT.userData | 3}
    mov ds, cx
    mov es, cx
    ${text}
    int 0x30
    handler:
  `;
}

const cases: readonly KernelCase[] = [
  {
    name: "an aligned doubleword is read",
    reference: CHECK,
    text: user(`mov eax, [${data + 4}]`),
    expected: "88776655",
  },
  {
    name: "a doubleword at an odd address is #AC(0)",
    reference: CHECK,
    text: user(`at: mov eax, [${data + 1}]`),
    expected: "11 00000000 +00",
    qemu: { prints: "55443322", why: "QEMU's translator checks no alignment." },
  },
  {
    name: "a word across two doublewords is aligned",
    reference: CHECK,
    text: user(`movzx eax, word ptr [${data + 2}]`),
    expected: "00004433",
  },
  {
    name: "a push to an odd stack is #AC(0)",
    reference: CHECK,
    text: user("mov eax, 9\ndec esp\nat: push eax"),
    expected: "11 00000000 +00",
    qemu: { prints: "00000009", why: "QEMU's translator checks no alignment." },
  },
  {
    name: "without EFLAGS.AC nothing is checked",
    reference: CHECK,
    text: user(`mov eax, [${data + 1}]`, 2),
    expected: "55443322",
  },
  {
    name: "POPF switches the check on",
    reference: CHECK,
    text: user(
      `mov eax, [${data + 1}]
       pushfd
       or dword ptr [esp], 0x40000
       popfd
       at: mov eax, [${data + 1}]`,
      2,
    ),
    expected: "11 00000000 +00",
    qemu: { prints: "55443322", why: "QEMU's translator checks no alignment." },
  },
  {
    name: "level 0 is not checked",
    reference: CHECK,
    text: `
      ${user("nop")}
      pushfd
      or dword ptr [esp], 0x40000
      popfd
      mov eax, [${data + 1}]`,
    expected: "55443322",
  },
];

const own = cases.map((each, number) => ({
  ...each,
  text: each.text.replaceAll(/\b(handler|code)\b/gu, `$1${number}`),
}));

export const alignment: Kernel = {
  topic: "Alignment checks",
  cases: own,
  text: protectedModeText(own),
};
