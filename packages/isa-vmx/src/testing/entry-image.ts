/**
 * A program for any processor with VMX: it enters a guest once for each violation of a check, and prints what came of it.
 *
 * The same bytes run on our processor and on Bochs, from a disk that a BIOS boots, so that the two can be compared. A line
 * for each case: its number, `F` and the VM-instruction error, or `X`, the exit reason and the exit qualification.
 *
 * ```
 * sector 0    boot sector: reads the rest to ORIGIN, enters 32-bit protected mode there
 * sector 1    the program, then its tables: memory, the fields of a valid VMCS, the cases
 * ```
 *
 * A case is a list of fields and of the bits that differ from the valid VMCS, which is a {@link GuestBench}'s. What the
 * processor wants set in its control fields comes from its own capability MSRs.
 */
import { assemble } from "@ringside/isa";
import { CAPABILITY_MSR } from "../capabilities.ts";
import { EXIT_CONTROL, PIN } from "../controls.ts";
import { FIELD, FIELDS, type FieldKey } from "../fields.ts";
import { flip, type Violations } from "./entry-violations.ts";
import { GUEST, GuestBench, HOST } from "./guest-bench.ts";

/** Where the boot sector puts the program, and enters it in 32-bit protected mode with flat segments. */
export const ORIGIN = 0x1_0000;
/** COM1's data port; its line status port says that it is free. */
export const SERIAL = {
  data: 0x3f8,
  control: 0x3fb,
  eightBits: 3,
  status: 0x3fd,
  free: 0x20,
} as const;
/** Behind the last case's line. */
export const END = "END";

const SECTOR_BYTES = 512;
/** What one request to a BIOS may read. */
const SECTORS_MAXIMUM = 127;
const TABLES = { pml4: 0x3_0000, pdpt: 0x3_1000, directory: 0x3_2000 } as const;
const STACK = 0x3_8000;
/** Selectors, as the bench has them in its host state. */
const CODE64 = 0x08;
const TSS_SELECTOR = 0x18;

/** The host state of the program itself, where the bench's is another. */
const HOST_STATE: Partial<Record<FieldKey, bigint | string>> = {
  HOST_CR0: 0x8001_0033n,
  HOST_CR3: BigInt(TABLES.pml4),
  HOST_CR4: 0x2620n,
  HOST_TR_BASE: "tss",
  HOST_GDTR_BASE: "gdt",
  HOST_IDTR_BASE: "gdt",
  HOST_RSP: BigInt(STACK),
  HOST_RIP: "exited",
};

/** Added to the bench's VMCS: a guest that halts for good, where a processor lets it, comes back by the timer. */
const ALSO: Partial<Record<FieldKey, bigint>> = {
  PIN_BASED_CONTROLS: BigInt(PIN.PREEMPTION_TIMER),
  VMX_PREEMPTION_TIMER_VALUE: 0x1000n,
};

/** The MSR that says what a control field must have set. */
const CONTROL_MSR: Partial<Record<FieldKey, number>> = {
  PIN_BASED_CONTROLS: CAPABILITY_MSR.TRUE_PINBASED,
  PRIMARY_CONTROLS: CAPABILITY_MSR.TRUE_PROCBASED,
  VM_EXIT_CONTROLS: CAPABILITY_MSR.TRUE_EXIT,
  VM_ENTRY_CONTROLS: CAPABILITY_MSR.TRUE_ENTRY,
};

const writable = FIELDS.filter(({ access }) => access === "read-write");

/** A raw disk of one cylinder with 16 heads and 63 sectors. @throws {RangeError} There are more cases than fit. */
export function entryImage(violations: Violations): Uint8Array {
  const program = assemble(source(violations), { mode: 32, address: BigInt(ORIGIN) }).bytes;
  const sectors = Math.ceil(program.length / SECTOR_BYTES);
  if (sectors > SECTORS_MAXIMUM)
    throw new RangeError(
      `The program has ${sectors} sectors; ${SECTORS_MAXIMUM} fit. Give fewer cases.`,
    );
  const disk = new Uint8Array(16 * 63 * SECTOR_BYTES);
  disk.set(bootSector(sectors));
  disk.set(program, SECTOR_BYTES);
  return disk;
}

/** The program as the boot sector leaves it at {@link ORIGIN}. */
export function programOf(disk: Uint8Array): Uint8Array {
  return disk.subarray(SECTOR_BYTES, SECTOR_BYTES * (1 + SECTORS_MAXIMUM));
}

function bootSector(sectors: number): Uint8Array {
  const { bytes } = assemble(
    `
    bits 16
      cli
      xor ax, ax
      mov ds, ax
      mov ss, ax
      mov sp, 0x7c00
      sti
      mov si, packet
      mov ah, 0x42
      int 0x13
      jc stop
      cli
      in al, 0x92
      or al, 2
      and al, 0xfe
      out 0x92, al
      lgdt [register]
      mov eax, cr0
      or al, 1
      mov cr0, eax
      db 0xea
      dw protected, 8
    stop:
      hlt
      jmp stop
    bits 32
    protected:
      mov eax, 0x10
      mov ds, eax
      mov es, eax
      mov ss, eax
      mov eax, ${ORIGIN}
      jmp eax
    align 8
    packet:
      db 16, 0
      dw ${sectors}, 0, ${ORIGIN / 16}
      dq 1
    gdt:
      dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
    register:
      dw 23
      dd gdt
    `,
    { mode: 32, address: 0x7c00n },
  );
  const sector = new Uint8Array(SECTOR_BYTES);
  sector.set(bytes);
  sector.set([0x55, 0xaa], SECTOR_BYTES - 2);
  return sector;
}

/** VMWRITE RCX, RBX and VMREAD RBX, RCX. */
const VMWRITE = "db 0x0f, 0x79, 0xcb";
const VMREAD = "db 0x0f, 0x78, 0xcb";
const VMLAUNCH = "db 0x0f, 0x01, 0xc2";
/** Their operand is [RAX]. */
const VMXON = "db 0xf3, 0x0f, 0xc7, 0x30";
const VMCLEAR = "db 0x66, 0x0f, 0xc7, 0x30";
const VMPTRLD = "db 0x0f, 0xc7, 0x30";

function source(violations: Violations): string {
  const bench = new GuestBench();
  return `
    ${longMode}
    ${setUp}
    mov rbp, cases
    xor r14, r14
  next:
    ${prepareVmcs}
    ${VMLAUNCH}
    mov r15, 0x46
    mov ecx, ${FIELD.VM_INSTRUCTION_ERROR}
    ${VMREAD}
    call heading
    mov rdx, rbx
    call print
    jmp finished
  exited:
    mov r15, 0x58
    call heading
    mov ecx, ${FIELD.EXIT_REASON}
    ${VMREAD}
    mov rdx, rbx
    call print
    mov ecx, ${FIELD.EXIT_QUALIFICATION}
    ${VMREAD}
    mov rdx, rbx
    call print
  finished:
    mov al, 10
    call put
    inc r14
    cmp rbp, end_of_cases
    jb next
    ${[...new TextEncoder().encode(END)].map((letter) => `mov al, ${letter}\ncall put`).join("\n")}
    mov al, 10
    call put
  rest:
    hlt
    jmp rest

  ${output}
  align 8
  gdt:
    dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
    dw 0x67, tss - ${ORIGIN}
    db ${ORIGIN >> 16}, 0x89, 0, 0
    dq 0
  gdt_register:
    dw ${TSS_SELECTOR + 15}
    dd gdt
  align 8
  tss:
    resb 104
  pointer_to_vmxon:
    dq ${HOST.vmxon}
  pointer_to_vmcs:
    dq ${HOST.vmcs}
  ${memoryTable(bench)}
  ${fieldTable(bench)}
  ${caseTable(bench, violations)}
  `;
}

const longMode = `
    bits 32
    mov esp, ${STACK}
    mov edi, ${TABLES.pml4}
    xor eax, eax
    mov ecx, 0xc00
    cld
    rep stosd
    mov dword [${TABLES.pml4}], ${TABLES.pdpt + 7}
    mov dword [${TABLES.pdpt}], ${TABLES.directory + 7}
    mov edi, ${TABLES.directory}
    mov eax, 0x87
    mov ecx, 512
  fill:
    mov [edi], eax
    add eax, 0x200000
    add edi, 8
    loop fill
    lgdt [gdt_register]
    mov eax, 0x2620
    mov cr4, eax
    mov eax, ${TABLES.pml4}
    mov cr3, eax
    mov ecx, 0xc0000080
    mov eax, 0x901
    xor edx, edx
    wrmsr
    mov eax, 0x80010033
    mov cr0, eax
    db 0xea
    dd long
    dw ${CODE64}
    bits 64
  long:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov eax, ${TSS_SELECTOR}
    ltr ax
`;

/** Enables VMX, fills the guest's memory, and begins VMX operation. */
const setUp = `
    mov ecx, ${CAPABILITY_MSR.FEATURE_CONTROL}
    rdmsr
    test al, 1
    jnz locked
    mov eax, 5
    xor edx, edx
    wrmsr
  locked:
    mov edx, ${SERIAL.control}
    mov al, ${SERIAL.eightBits}
    out dx, al
    mov rsi, memory
  store:
    mov rdi, [rsi]
    mov rax, [rsi + 8]
    mov [rdi], rax
    add rsi, 16
    cmp rsi, end_of_memory
    jb store
    mov ecx, ${CAPABILITY_MSR.BASIC}
    rdmsr
    and eax, 0x7fffffff
    mov [${HOST.vmxon}], eax
    mov [${HOST.vmcs}], eax
    mov eax, pointer_to_vmxon
    ${VMXON}
`;

/** A valid VMCS with the bits of the case at RBP changed; RBP behind it. Fields that the processor has not stay away. */
const prepareVmcs = `
    mov eax, pointer_to_vmcs
    ${VMCLEAR}
    ${VMPTRLD}
    mov rsi, fields
  field:
    mov ecx, [rsi + 4]
    xor eax, eax
    jecxz plain
    rdmsr
  plain:
    mov eax, eax
    mov rbx, [rsi + 8]
    or rbx, rax
    mov ecx, [rsi]
    ${VMWRITE}
    add rsi, 16
    cmp rsi, end_of_fields
    jb field
    mov rdi, [rbp]
    add rbp, 8
  change:
    test rdi, rdi
    jz changed
    mov rcx, [rbp]
    ${VMREAD}
    xor rbx, [rbp + 8]
    ${VMWRITE}
    add rbp, 16
    dec rdi
    jmp change
  changed:
`;

/** \`heading\`: the number in R14 and the letter in R15. \`print\`: RDX in hexadecimal. \`put\`: AL. Each ends with a space. */
const output = `
  heading:
    mov rdx, r14
    call print
    mov rax, r15
    call put
    mov al, 32
    jmp put
  print:
    mov r12, 16
  digit:
    rol rdx, 4
    mov eax, edx
    and eax, 15
    cmp al, 10
    jb decimal
    add al, 39
  decimal:
    add al, 48
    call put
    dec r12
    jnz digit
    mov al, 32
  put:
    push rdx
    mov r13, rax
    mov edx, ${SERIAL.status}
  wait:
    in al, dx
    test al, ${SERIAL.free}
    jz wait
    mov rax, r13
    mov edx, ${SERIAL.data}
    out dx, al
    pop rdx
    ret
`;

const word = (value: bigint): string => `0x${value.toString(16)}`;

/** What the bench has in memory: the guest's frames and its EPT tables. The guest halts at once. */
function memoryTable(bench: GuestBench): string {
  bench.load(GUEST.code, "hlt");
  const { physical } = bench.memory;
  const rows: string[] = [];
  for (let at = bench.offset; at < physical.sizeBytes; at += 8) {
    const value = physical.readU64(at);
    const isStructure = at >= HOST.vmxon && at < HOST.msrBitmap;
    if (value !== 0n && !isStructure) rows.push(`dq ${word(BigInt(at))}, ${word(value)}`);
  }
  return `memory:\n${rows.join("\n")}\nend_of_memory:`;
}

function fieldTable(bench: GuestBench): string {
  const rows = writable.map(({ key, encoding }) => {
    const msr = CONTROL_MSR[key] ?? 0;
    const own = HOST_STATE[key];
    if (typeof own === "string") return `dd ${encoding}, 0\ndq ${own}`;
    const value = (own ?? bench.get(key) & ~mustBeOne(bench, key)) | (ALSO[key] ?? 0n);
    return `dd ${encoding}, ${msr}\ndq ${word(value)}`;
  });
  return `align 8\nfields:\n${rows.join("\n")}\nend_of_fields:`;
}

/** What the bench's own processor wants set, and others may not. */
function mustBeOne({ capabilities }: GuestBench, key: FieldKey): bigint {
  switch (key) {
    case "PIN_BASED_CONTROLS":
      return BigInt(capabilities.pin.mustBeOne);
    case "PRIMARY_CONTROLS":
      return BigInt(capabilities.primary.mustBeOne);
    case "VM_EXIT_CONTROLS":
      return BigInt(capabilities.exit.mustBeOne);
    case "VM_ENTRY_CONTROLS":
      return BigInt(capabilities.entry.mustBeOne);
    default:
      return 0n;
  }
}

function caseTable(valid: GuestBench, violations: Violations): string {
  const base = new Map(writable.map(({ key }) => [key, valid.get(key)]));
  const cases = [
    // The VMCS that they begin with.
    "dq 0",
    ...Object.values(violations).map((violate) => {
      const bench = new GuestBench();
      violate(bench);
      // One violation is about a timer that is off.
      if ((bench.get("VM_EXIT_CONTROLS") & BigInt(EXIT_CONTROL.SAVE_PREEMPTION_TIMER)) !== 0n)
        flip("PIN_BASED_CONTROLS", PIN.PREEMPTION_TIMER)(bench);
      const rows = writable.flatMap(({ key, encoding }) => {
        const bits = bench.get(key) ^ (base.get(key) ?? 0n);
        return bits === 0n ? [] : [`dq ${encoding}, ${word(bits)}`];
      });
      return [`dq ${rows.length}`, ...rows].join("\n");
    }),
  ];
  return `align 8\ncases:\n${cases.join("\n")}\nend_of_cases:`;
}
