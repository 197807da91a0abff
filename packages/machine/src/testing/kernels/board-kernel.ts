/**
 * What kernels about interrupts begin with: controllers that are silent, and handlers that keep a log.
 *
 * The log is EAX, which a case prints: a handler shifts its vector in from the right. R15 says how a handler ends the
 * service of its interrupt: {@link END}. RBX has the address of the local APIC's registers.
 */
import {
  LOCAL_APIC,
  longModeText,
  PLACE_64,
  withOwnLabels64,
  type Kernel,
  type KernelCase,
} from "@ringside/isa/testing";

export const IO_APIC = 0xfec0_0000;
/** Vectors of the 8259 pair, and the one of spurious interrupts of the local APIC. */
export const MASTER_VECTOR = 0x20;
export const SLAVE_VECTOR = 0x28;
const SPURIOUS_VECTOR = 0x3e;

/** Offsets of registers of the local APIC. */
export const APIC = {
  id: 0x20,
  version: 0x30,
  taskPriority: 0x80,
  processorPriority: 0xa0,
  endOfInterrupt: 0xb0,
  logicalDestination: 0xd0,
  destinationFormat: 0xe0,
  spurious: 0xf0,
  /** Of vectors 20H to 3FH: the second of eight words. */
  inService: 0x110,
  triggerMode: 0x190,
  request: 0x210,
  error: 0x280,
  command: 0x300,
  commandHigh: 0x310,
  timer: 0x320,
  lint0: 0x350,
  lint1: 0x360,
  errorVector: 0x370,
  initialCount: 0x380,
  currentCount: 0x390,
  divide: 0x3e0,
} as const;

/** What a handler does at its end: the local APIC's end of interrupt, none at all, that of the 8259 pair. */
export const END = { apic: 0, none: 1, pic: 2 } as const;

export const MASKED = 0x1_0000;
const EXTERNAL = 0x700;
const NMI_MODE = 0x400;
const SOFTWARE_ENABLE = 0x100;
const SELF = 0x4_4000;

/** Vectors whose handlers keep the log. 30H brings code of level 3 back. */
const LOGGED: readonly number[] = Array.from({ length: 0x2a }, (_, index) => 0x16 + index).filter(
  (vector) => vector !== 0x30 && vector < 0x40,
);

export function write(offset: number, value: number): string {
  return `mov dword ptr [rbx+${offset}], ${value}`;
}

export function read(offset: number): string {
  return `mov eax, [rbx+${offset}]`;
}

/** The processor interrupts itself. */
export function sendSelf(vector: number): string {
  return write(APIC.command, SELF | vector);
}

let settled = 0;

/** Lets an interrupt arrive that may: the jump ends what QEMU translates as one. */
export function settle(): string {
  settled += 1;
  return `jmp settled${settled}\nsettled${settled}: nop`;
}

/** Lets interrupts arrive for a moment. */
export function open(): string {
  return `sti\n${settle()}\ncli`;
}

/** Waits with interrupts on until the log has something, or for so long that it never will. */
export function awaitLog(label: string): string {
  return `
    mov ecx, 50000000
    sti
    ${label}:
    test eax, eax
    jnz ${label}Over
    dec ecx
    jnz ${label}
    ${label}Over:
    cli`;
}

/** Waits until code sets ZF, with a bound. Changes ECX. */
export function awaitZero(label: string, code: string): string {
  return `
    mov ecx, 5000000
    ${label}:
    ${code}
    jz ${label}Over
    dec ecx
    jnz ${label}
    ${label}Over:`;
}

const EACH = `
  call silence
  mov ebx, ${LOCAL_APIC}
  xor eax, eax
  xor r15d, r15d
`;

const LOG_ROUTINES = `
  ${LOGGED.map((vector) => `log${vector}: push ${vector}\njmp logged`).join("\n")}
  logged:
    shl eax, 8
    or al, [rsp]
    add rsp, 8
  ended:
    cmp r15d, ${END.none}
    je .none
    ja .pic
    mov dword ptr [rbx+${APIC.endOfInterrupt}], 0
    iretq
  .pic:
    push rax
    mov al, 0x20
    out 0xa0, al
    out 0x20, al
    pop rax
  .none:
    iretq
`;

/** Gates of the log, the 8259 pair initialized and masked, the local APIC enabled and silent. */
const SILENCE = `
  silence:
    mov rsi, logs
    mov edi, ${PLACE_64.idt}
    mov ecx, ${LOGGED.length}
  .gate:
    movzx edx, word ptr [rsi]
    movzx eax, word ptr [rsi+2]
    shl edx, 4
    mov [rdi+rdx], ax
    add rsi, 4
    loop .gate
    ; The serial port asks for nothing, and the output of the 8254 is high: initialization forgets edges.
    xor eax, eax
    mov dx, 0x3f9
    out dx, al
    mov al, 0x34
    out 0x43, al
    xor eax, eax
    out 0x40, al
    out 0x40, al
    mov al, 0x11
    out 0x20, al
    out 0xa0, al
    mov al, ${MASTER_VECTOR}
    out 0x21, al
    mov al, ${SLAVE_VECTOR}
    out 0xa1, al
    mov al, 4
    out 0x21, al
    mov al, 2
    out 0xa1, al
    mov al, 1
    out 0x21, al
    out 0xa1, al
    mov al, 0xff
    out 0x21, al
    out 0xa1, al
    xor eax, eax
    mov dx, 0x4d0
    out dx, al
    inc dx
    out dx, al
    mov ebx, ${LOCAL_APIC}
    mov dword ptr [rbx+${APIC.spurious}], ${SOFTWARE_ENABLE | SPURIOUS_VECTOR}
    mov dword ptr [rbx+${APIC.taskPriority}], 0
    mov dword ptr [rbx+${APIC.initialCount}], 0
    mov dword ptr [rbx+${APIC.timer}], ${MASKED}
    mov dword ptr [rbx+${APIC.lint0}], ${MASKED}
    mov dword ptr [rbx+${APIC.lint1}], ${MASKED | NMI_MODE}
    mov dword ptr [rbx+${APIC.errorVector}], ${MASKED}
    mov dword ptr [rbx+${APIC.divide}], 0xb
    mov dword ptr [rbx+${APIC.destinationFormat}], 0xffffffff
    mov dword ptr [rbx+${APIC.logicalDestination}], 0
    mov dword ptr [rbx+${APIC.error}], 0
    mov dword ptr [rbx+${APIC.error}], 0
    ; What a case before may have left in service.
    mov ecx, 64
  .end:
    mov dword ptr [rbx+${APIC.endOfInterrupt}], 0
    loop .end
    mov ebx, ${IO_APIC}
    mov ecx, 0x10
  .pin:
    mov [rbx], ecx
    mov dword ptr [rbx+0x10], ${MASKED}
    inc ecx
    mov [rbx], ecx
    mov dword ptr [rbx+0x10], 0
    inc ecx
    cmp ecx, 0x40
    jb .pin
    ret
  align 4
  logs: ${LOGGED.map((vector) => `dw ${vector}, log${vector}`).join("\n")}
`;

/** Lets the 8259 pair interrupt, through LINT0. */
export const EXTERNAL_ON: string = `${write(APIC.lint0, EXTERNAL)}\nmov r15d, ${END.pic}`;

interface BoardParts extends Pick<Kernel, "profile" | "processors" | "lacking"> {
  /** Runs before each case, behind the silence. */
  readonly each?: string;
}

export function boardKernel(
  topic: string,
  cases: readonly KernelCase[],
  labels: readonly string[],
  more: BoardParts = {},
): Kernel {
  const { each = "", ...rest } = more;
  const own = withOwnLabels64(cases, labels);
  return {
    topic,
    cases: own,
    text: longModeText(own, {
      each: `${EACH}\n${each}`,
      routines: `${LOG_ROUTINES}\n${SILENCE}`,
    }),
    ...rest,
  };
}
