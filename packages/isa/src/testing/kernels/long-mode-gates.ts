/** Interrupt, trap and call gates in 64-bit mode. */
import {
  faultsAt,
  FETCHED,
  gateFlags,
  longModeText,
  NOT_CANONICAL,
  PLACE_64,
  SEGMENT_64,
  user64,
  vector64,
  withOwnLabels64,
  writeGate64,
} from "./long-mode.ts";
import type { Kernel, KernelCase } from "./rom.ts";

const GATE = 'Intel SDM Vol. 3A §6.14.1, "64-Bit Mode IDT"';
const FRAME = 'Intel SDM Vol. 3A §6.14.2, "64-Bit Mode Stack Frame"';
const STACKS = 'Intel SDM Vol. 3A §6.14.4, "Stack Switching in IA-32e Mode"';
const IST = 'Intel SDM Vol. 3A §6.14.5, "Interrupt Stack Table"';
const FLAGS =
  'Intel SDM Vol. 3A §6.12.1.3, "Flag Usage By Exception- or Interrupt-Handler Procedure"';
const HANDLERS =
  'Intel SDM Vol. 3A §6.12.1.2, "Protection of Exception- and Interrupt-Handler Procedures"';
const CALL_GATE = 'Intel SDM Vol. 3A §5.8.3.1, "IA-32e Mode Call Gates"';
const CALL_STACK = 'Intel SDM Vol. 3A §5.8.5.1, "Stack Switching in 64-bit Mode"';
const { stack, innerStack, ist1, tss, gdt, idt, data } = PLACE_64;
const [INTERRUPT_GATE, TRAP_GATE, LONG_CALL_GATE, DPL_3] = [0x8e, 0x8f, 0x8c, 0x60] as const;
const VECTOR = 0x31;
const OWN = SEGMENT_64.own;
const LONG_INDEX = "QEMU puts twice the vector into the error code.";

/** INT 31H, whose handler gives EAX to the case; `before` runs first. */
function interrupt(
  handler: string,
  options: { readonly flags?: number; readonly ist?: number; readonly before?: string } = {},
): string {
  const { flags = INTERRUPT_GATE, ist = 0, before = "" } = options;
  return `
    ${vector64(VECTOR, "handler", flags, { ist })}
    ${before}
    int ${VECTOR}
    jmp end
    handler:
    ${handler}
    end: nop`;
}

/** The same from level 3. */
function interruptFromUser(handler: string, ist = 0): string {
  return `
    ${vector64(VECTOR, "handler", INTERRUPT_GATE | DPL_3, { ist })}
    ${user64(`int ${VECTOR}`)}
    handler:
    ${handler}`;
}

/** The far pointer of a call: through the gate at {@link OWN}. */
const POINTER = `mov dword ptr [${data}], 0\nmov word ptr [${data + 4}], ${OWN}`;
const CALL = `call far fword ptr [${data}]`;

function callGate(flags: number, selector: number = SEGMENT_64.code, offset = "procedure"): string {
  return `${writeGate64(gdt + OWN, offset, flags, { selector })}\n${POINTER}`;
}

const interrupts: readonly KernelCase[] = [
  {
    name: "an interrupt gate clears IF",
    reference: FLAGS,
    text: interrupt("pushfq\npop rax\nand eax, 0x200", { before: "sti" }),
    expected: "00000000",
  },
  {
    name: "a trap gate leaves IF",
    reference: FLAGS,
    text: interrupt("pushfq\npop rax\nand eax, 0x200\ncli", { flags: TRAP_GATE, before: "sti" }),
    expected: "00000200",
  },
  {
    name: "NT is saved, and clear in the handler",
    reference: FLAGS,
    text: interrupt(
      "pushfq\npop rax\nmov ebx, [rsp+16]\nshl ebx, 16\nand ebx, 0x40000000\nand eax, 0x4000\nor eax, ebx",
      { before: "push 0x4002\npopfq" },
    ),
    expected: "40000000",
  },
  {
    name: "the frame has 5 slots of 8 bytes, below a multiple of 16",
    reference: FRAME,
    text: interrupt(`mov eax, ${stack}\nsub eax, esp\nshl eax, 8\nor al, [rsp+24]`, {
      before: "sub rsp, 3",
    }),
    expected: `000038${((stack - 3) & 0xff).toString(16)}`,
  },
  {
    name: "the frame has SS and CS also without a change of level",
    reference: FRAME,
    text: interrupt("mov eax, [rsp+32]\nshl eax, 16\nmov ax, [rsp+8]"),
    expected: "00100008",
  },
  {
    name: "from level 3 the stack is RSP0, and SS is null",
    reference: STACKS,
    text: interruptFromUser(
      `mov eax, ss\nshl eax, 16\nmov bx, ${innerStack & 0xffff}\nsub bx, sp\nmov ax, bx`,
    ),
    expected: "00000028",
  },
  {
    name: "IST replaces RSP0",
    reference: IST,
    text: interruptFromUser(`mov eax, ${ist1}\nsub eax, esp`, 1),
    expected: "00000028",
  },
  {
    name: "IST switches stacks without a change of level too",
    reference: IST,
    text: interrupt(`mov eax, ${ist1}\nsub eax, esp`, { ist: 1 }),
    expected: "00000028",
  },
  {
    name: "IRETQ goes back to the stack that IST replaced",
    reference: IST,
    text: `
      ${vector64(VECTOR, "handler", INTERRUPT_GATE, { ist: 1 })}
      int ${VECTOR}
      mov eax, ${stack}
      sub eax, esp
      jmp end
      handler: iretq
      end: nop`,
    expected: "00000000",
  },
  {
    name: "INT n through a gate of DPL 0 is #GP with the vector at level 3",
    reference: HANDLERS,
    text: user64(`at: int ${VECTOR}`),
    expected: "0d 0000018a +00",
    qemu: { prints: "0d 00000312 +00", why: LONG_INDEX },
  },
  {
    name: "an exception goes through such a gate",
    reference: HANDLERS,
    text: user64("at: ud2"),
    expected: "06 00000000 +00",
  },
  {
    name: "the DPL is looked at before P",
    reference: "Intel SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    text: `${gateFlags(VECTOR, 0x0e)}\n${user64(`at: int ${VECTOR}`)}`,
    expected: "0d 0000018a +00",
    qemu: { prints: "0d 00000312 +00", why: LONG_INDEX },
  },
  {
    name: "a task gate is #GP with the vector",
    reference: GATE,
    text: `${gateFlags(VECTOR, 0x85)}\nat: int ${VECTOR}`,
    expected: "0d 0000018a +00",
    qemu: { prints: "0d 00000312 +00", why: LONG_INDEX },
  },
  {
    name: "a gate of 16 bits is #GP with the vector",
    reference: GATE,
    text: `${gateFlags(VECTOR, 0x86)}\nat: int ${VECTOR}`,
    expected: "0d 0000018a +00",
    qemu: { prints: "0d 00000312 +00", why: LONG_INDEX },
  },
  {
    name: "a gate beyond the limit of the IDT is #GP with the vector",
    reference: GATE,
    text: "at: int 0x40",
    expected: "0d 00000202 +00",
    qemu: { prints: "0d 00000402 +00", why: LONG_INDEX },
  },
  {
    name: "a gate to 32-bit code is #GP with its selector",
    reference: GATE,
    text: `${vector64(VECTOR, "handler", INTERRUPT_GATE, { selector: SEGMENT_64.code32 })}\nat: int ${VECTOR}\nhandler: nop`,
    expected: "0d 00000018 +00",
  },
  {
    name: "a gate to data is #GP with its selector",
    reference: GATE,
    text: `${vector64(VECTOR, "handler", INTERRUPT_GATE, { selector: SEGMENT_64.data })}\nat: int ${VECTOR}\nhandler: nop`,
    expected: "0d 00000010 +00",
  },
  {
    name: "a gate with a null selector is #GP(0)",
    reference: GATE,
    text: `${vector64(VECTOR, "handler", INTERRUPT_GATE, { selector: 0 })}\nat: int ${VECTOR}\nhandler: nop`,
    expected: "0d 00000000 +00",
  },
  {
    name: "an interrupt gate to an address that is not canonical is #GP of the INT",
    reference: "Intel SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    text: faultsAt(`mov dword ptr [${idt + VECTOR * 16 + 8}], 0x8000\nint ${VECTOR}`),
    expected: "00000000",
    qemu: { prints: "00008000", why: FETCHED },
  },
  {
    name: "an IST that is not canonical is #SS(0)",
    reference: "Intel SDM Vol. 2A, INT n/INTO/INT3/INT1—Call to Interrupt Procedure",
    text: `
      mov rbx, ${NOT_CANONICAL}
      mov [${tss + 36}], rbx
      ${vector64(VECTOR, "handler", INTERRUPT_GATE, { ist: 1 })}
      at: int ${VECTOR}
      handler: nop`,
    expected: "0c 00000000 +00",
    bochs: { prints: "0c 00000010 +00", why: "Bochs puts the selector of SS into the error code." },
  },
];

const calls: readonly KernelCase[] = [
  {
    name: "a call through a gate of the same level pushes CS and RIP in 16 bytes",
    reference: CALL_GATE,
    text: `
      ${callGate(LONG_CALL_GATE)}
      ${CALL}
      back: jmp end
      procedure:
      mov eax, ${stack}
      sub eax, esp
      shl eax, 8
      or al, [rsp+8]
      db 0x48
      retf
      end: nop`,
    expected: "00001008",
  },
  {
    name: "a call from level 3 pushes SS, RSP, CS and RIP, and SS is null",
    reference: CALL_STACK,
    text: `
      ${callGate(LONG_CALL_GATE | DPL_3)}
      ${user64(CALL)}
      procedure:
      mov eax, ${innerStack}
      sub eax, esp
      shl eax, 8
      or al, [rsp+24]
      shl eax, 8
      or al, [rsp+8]
      shl eax, 8
      mov ebx, ss
      or al, bl`,
    expected: "20232b00",
  },
  {
    name: "a far return of 64 bits goes back to level 3 with its stack",
    reference: CALL_STACK,
    text: `
      ${callGate(LONG_CALL_GATE | DPL_3)}
      ${user64(`${CALL}\nmov eax, cs\nshl eax, 16\nmov bx, ${PLACE_64.userStack & 0xffff}\nsub bx, sp\nmov ax, bx`)}
      procedure:
      db 0x48
      retf`,
    expected: "002b0000",
  },
  {
    name: "a gate whose DPL is below CPL is #GP with its selector",
    reference: CALL_GATE,
    text: `${callGate(LONG_CALL_GATE)}\n${user64(`at: ${CALL}`)}\nprocedure: nop`,
    expected: "0d 00000050 +00",
  },
  {
    name: "a gate that is not present is #NP with its selector",
    reference: CALL_GATE,
    text: `${callGate(LONG_CALL_GATE & 0x7f)}\nat: ${CALL}\nprocedure: nop`,
    expected: "0b 00000050 +00",
  },
  {
    name: "a type in the upper half is #GP with the gate's selector",
    reference: CALL_GATE,
    text: `${callGate(LONG_CALL_GATE)}\nmov dword ptr [${gdt + OWN + 12}], 0x100\nat: ${CALL}\nprocedure: nop`,
    expected: "0d 00000050 +00",
  },
  {
    name: "a gate to 32-bit code is #GP with its selector",
    reference: CALL_GATE,
    text: `${callGate(LONG_CALL_GATE, SEGMENT_64.code32)}\nat: ${CALL}\nprocedure: nop`,
    expected: "0d 00000018 +00",
  },
  {
    name: "a gate to a null selector is #GP(0)",
    reference: CALL_GATE,
    text: `${callGate(LONG_CALL_GATE, 0)}\nat: ${CALL}\nprocedure: nop`,
    expected: "0d 00000000 +00",
  },
  {
    name: "a gate to an address that is not canonical is #GP of the call",
    reference: CALL_GATE,
    text: faultsAt(
      `${callGate(LONG_CALL_GATE)}\nmov dword ptr [${gdt + OWN + 8}], 0x8000\n${CALL}`,
    ),
    expected: "00000000",
    qemu: { prints: "00008000", why: FETCHED },
  },
  {
    name: "a jump through a gate to more privileged code is #GP with its selector",
    reference: CALL_GATE,
    text: `
      ${callGate(LONG_CALL_GATE | DPL_3)}
      ${user64(`at: jmp far fword ptr [${data}]`)}
      procedure: nop`,
    expected: "0d 00000008 +00",
  },
  {
    name: "a gate of 16 bits is #GP with its selector",
    reference: CALL_GATE,
    text: `${callGate(0x84)}\nat: ${CALL}\nprocedure: nop`,
    expected: "0d 00000050 +00",
  },
];

const own = withOwnLabels64([...interrupts, ...calls], ["handler", "end", "procedure", "back"]);

export const longModeGates: Kernel = {
  topic: "Gates in 64-bit mode",
  cases: own,
  text: longModeText(own),
};
