/**
 * What costs something: the terms that every cost profile gives a figure for.
 *
 * A term says which counted facts it prices and what is included; a profile says how many cycles that is on one
 * processor, and how that is known. So all profiles price the same things, and two of them differ in figures alone.
 */
import type { CostConstant } from "../cost-profile.ts";

/** What a constant of a profile is on every processor. */
export type CostTerm = Omit<CostConstant, "id" | "cycles" | "provenance" | "source" | "unverified">;

export type CostTermId =
  | "instruction"
  | "call"
  | "ret"
  | "port-read"
  | "port-write"
  | "task-priority-write"
  | "control-register-write"
  | "serializing"
  | "interrupt-flag"
  | "swapgs"
  | "time-stamp"
  | "walk-reference"
  | "system-call"
  | "system-return"
  | "exception"
  | "page-fault"
  | "interrupt"
  | "software-interrupt"
  | "interrupt-return"
  | "callout"
  | "vm-entry"
  | "vm-exit"
  | "vm-exit-exception"
  | "vm-exit-port"
  | "vm-exit-cpuid"
  | "vm-exit-ept"
  | "monitor-entry"
  | "vmread"
  | "vmwrite"
  | "guest-word"
  | "mapped-word"
  | "table-entry"
  | "page-moved"
  | "root-load"
  | "tlb-invalidation"
  | "emulated-instruction"
  | "translated-instruction"
  | "translation-lookup"
  | "code-patch"
  | "hypercall"
  | "validation"
  | "frame-check";

/** Guest work, changes of context, a monitor's work: the three parts of a price, in this order. */
export const costTerms: Readonly<Record<CostTermId, CostTerm>> = {
  instruction: {
    class: "guest",
    events: "instructions of the guest",
    unit: "instruction",
    from: "the instruction enters the pipeline",
    to: "it retires, its data in the first-level cache",
    prices: { kind: "other-instructions" },
  },
  call: {
    class: "guest",
    events: "calls",
    unit: "instruction",
    from: "CALL enters the pipeline",
    to: "the first instruction of the subroutine",
    prices: { kind: "counts", names: ["mnemonics.call"] },
  },
  ret: {
    class: "guest",
    events: "returns from calls",
    unit: "instruction",
    from: "RET enters the pipeline",
    to: "the instruction after the call",
    prices: { kind: "counts", names: ["mnemonics.ret"] },
  },
  "port-read": {
    class: "guest",
    events: "reads of a port of the chip set",
    unit: "instruction",
    from: "IN enters the pipeline",
    to: "the answer of the chip set on port 0x80 is in the register",
    prices: { kind: "counts", names: ["mnemonics.in", "mnemonics.ins"] },
  },
  "port-write": {
    class: "guest",
    events: "writes to a port of the chip set",
    unit: "instruction",
    from: "OUT enters the pipeline",
    to: "the chip set has taken the value",
    prices: { kind: "counts", names: ["mnemonics.out", "mnemonics.outs"] },
  },
  "task-priority-write": {
    class: "guest",
    events: "writes of the task priority",
    unit: "instruction",
    from: "MOV to CR8 enters the pipeline",
    to: "it retires, no interrupt pending",
    prices: { kind: "counts", names: ["mnemonics.mov-to-cr8"] },
  },
  "control-register-write": {
    class: "guest",
    events: "writes of control registers",
    unit: "instruction",
    from: "MOV to CR0, CR3 or CR4 enters the pipeline",
    to: "it retires; the TLB misses that follow are counted apart",
    prices: {
      kind: "counts",
      names: ["mnemonics.mov-to-cr0", "mnemonics.mov-to-cr3", "mnemonics.mov-to-cr4"],
    },
  },
  serializing: {
    class: "guest",
    events: "serializing instructions",
    unit: "instruction",
    from: "CPUID, WRMSR, INVLPG, LGDT, LIDT or LTR enters the pipeline",
    to: "it retires",
    prices: {
      kind: "counts",
      names: [
        "mnemonics.cpuid",
        "mnemonics.wrmsr",
        "mnemonics.invlpg",
        "mnemonics.lgdt",
        "mnemonics.lidt",
        "mnemonics.ltr",
      ],
    },
  },
  "interrupt-flag": {
    class: "guest",
    events: "instructions on the flags register",
    unit: "instruction",
    from: "CLI, STI, PUSHF or POPF enters the pipeline",
    to: "it retires",
    prices: {
      kind: "counts",
      names: ["mnemonics.cli", "mnemonics.sti", "mnemonics.pushf", "mnemonics.popf"],
    },
  },
  swapgs: {
    class: "guest",
    events: "exchanges of the GS base",
    unit: "instruction",
    from: "SWAPGS enters the pipeline",
    to: "it retires",
    prices: { kind: "counts", names: ["mnemonics.swapgs"] },
  },
  "time-stamp": {
    class: "guest",
    events: "reads of the time stamp and of model-specific registers",
    unit: "instruction",
    from: "RDTSC or RDMSR enters the pipeline",
    to: "it retires",
    prices: { kind: "counts", names: ["mnemonics.rdtsc", "mnemonics.rdmsr"] },
  },
  "walk-reference": {
    class: "guest",
    events: "references to page tables by the page walker",
    unit: "reference to a page-table entry",
    from: "the page walker asks for the entry",
    to: "it has the entry, from the second-level cache at most",
    prices: {
      kind: "counts",
      names: ["translation.walkReferences", "translation.secondStageReferences"],
    },
  },
  "system-call": {
    class: "transition",
    events: "SYSCALLs",
    unit: "instruction",
    from: "SYSCALL enters the pipeline",
    to: "the first instruction of the kernel, or of the monitor that takes its place",
    prices: { kind: "counts", names: ["mnemonics.syscall"] },
  },
  "system-return": {
    class: "transition",
    events: "SYSRETs",
    unit: "instruction",
    from: "SYSRET enters the pipeline, of a kernel or of a monitor that resumes its guest",
    to: "the first instruction of the program",
    prices: { kind: "counts", names: ["mnemonics.sysret", "returns.sysret"] },
  },
  exception: {
    class: "transition",
    events: "exceptions",
    unit: "exception",
    from: "the faulting instruction is about to retire",
    to: "the first instruction of the handler, in the guest's kernel or in a monitor",
    prices: {
      kind: "counts",
      names: ["exceptions", "monitor.exceptions"],
      except: ["exceptions.14", "monitor.exceptions.14"],
    },
  },
  "page-fault": {
    class: "transition",
    events: "page faults",
    unit: "page fault",
    from: "the page walk has failed",
    to: "the first instruction of the handler, in the guest's kernel or in a monitor",
    prices: { kind: "counts", names: ["exceptions.14", "monitor.exceptions.14"] },
  },
  interrupt: {
    class: "transition",
    events: "interrupts",
    unit: "interrupt",
    from: "the processor accepts the interrupt",
    to: "the first instruction of the handler, in the guest's kernel or in a monitor",
    prices: { kind: "counts", names: ["interrupts", "monitor.interrupt", "monitor.nmi"] },
  },
  "software-interrupt": {
    class: "transition",
    events: "software interrupts",
    unit: "software interrupt",
    from: "INT enters the pipeline",
    to: "the first instruction of the handler, in the guest's kernel or in a monitor",
    // INT 0x60 is how callouts are encoded, which have a price of their own.
    prices: {
      kind: "counts",
      names: ["mnemonics.int", "mnemonics.int3"],
      except: ["monitor.software-interrupts.96"],
    },
  },
  "interrupt-return": {
    class: "transition",
    events: "IRETs",
    unit: "instruction",
    from: "IRET enters the pipeline, of a kernel or of a monitor that resumes its guest",
    to: "the instruction that was interrupted, or the one after it",
    prices: { kind: "counts", names: ["mnemonics.iret", "returns.iret"] },
  },
  callout: {
    class: "transition",
    events: "callouts from the translation cache",
    unit: "callout",
    from: "translated code calls the monitor",
    to: "the monitor's function runs, the guest's registers saved; and back, restored",
    prices: { kind: "counts", names: ["callouts"] },
  },
  "vm-entry": {
    class: "transition",
    events: "VM entries",
    unit: "VM entry",
    from: "VMLAUNCH or VMRESUME enters the pipeline",
    to: "the first instruction of the guest; the delivery of an injected event is included",
    prices: { kind: "counts", names: ["entries"] },
  },
  "vm-exit": {
    class: "transition",
    events: "VM exits of other kinds",
    unit: "VM exit",
    from: "the processor finds that the guest must stop",
    to: "the first instruction of the hypervisor",
    prices: {
      kind: "counts",
      names: ["exits"],
      except: [
        "exits.exception-or-nmi",
        "exits.io-instruction",
        "exits.cpuid",
        "exits.ept-violation",
      ],
    },
  },
  "vm-exit-exception": {
    class: "transition",
    events: "VM exits for exceptions",
    unit: "VM exit",
    from: "the page walk has failed, or another exception that the hypervisor wants",
    to: "the first instruction of the hypervisor",
    prices: { kind: "counts", names: ["exits.exception-or-nmi"] },
  },
  "vm-exit-port": {
    class: "transition",
    events: "VM exits for port accesses",
    unit: "VM exit",
    from: "IN or OUT enters the pipeline",
    to: "the first instruction of the hypervisor",
    prices: { kind: "counts", names: ["exits.io-instruction"] },
  },
  "vm-exit-cpuid": {
    class: "transition",
    events: "VM exits for CPUID",
    unit: "VM exit",
    from: "CPUID enters the pipeline",
    to: "the first instruction of the hypervisor",
    prices: { kind: "counts", names: ["exits.cpuid"] },
  },
  "vm-exit-ept": {
    class: "transition",
    events: "VM exits for EPT violations",
    unit: "VM exit",
    from: "the walk of the extended page tables has failed",
    to: "the first instruction of the hypervisor",
    prices: { kind: "counts", names: ["exits.ept-violation"] },
  },
  "monitor-entry": {
    class: "monitor",
    events: "visits of the monitor",
    unit: "visit",
    from: "the first instruction of the monitor",
    to: "the handler runs, the guest's registers saved; and back, restored",
    prices: { kind: "counts", names: ["monitor.entries"] },
  },
  vmread: {
    class: "monitor",
    events: "reads of VMCS fields",
    unit: "field",
    from: "VMREAD enters the pipeline",
    to: "it retires",
    prices: { kind: "counts", names: ["monitor.vmreads"] },
  },
  vmwrite: {
    class: "monitor",
    events: "writes of VMCS fields",
    unit: "field",
    from: "VMWRITE enters the pipeline",
    to: "it retires",
    prices: { kind: "counts", names: ["monitor.vmwrites"] },
  },
  "guest-word": {
    class: "monitor",
    events: "words of guest memory accessed by the monitor",
    unit: "8 bytes of guest memory",
    from: "a handler has a guest-physical address",
    to: "it has read or written the word",
    prices: { kind: "counts", names: ["monitor.guestWords"] },
  },
  "mapped-word": {
    class: "monitor",
    events: "words of guest memory accessed in place by the monitor",
    unit: "8 bytes of guest memory",
    from: "a handler has a linear address of the guest, whose page tables map the monitor, too",
    to: "it has read or written the word, from the second-level cache at most",
    prices: { kind: "counts", names: ["monitor.mappedWords"] },
  },
  "table-entry": {
    class: "monitor",
    events: "page-table entries accessed by the monitor",
    unit: "page-table entry",
    from: "a handler has the address of an entry",
    to: "it has read or written it",
    prices: { kind: "counts", names: ["monitor.tableReads", "monitor.tableWrites"] },
  },
  "page-moved": {
    class: "monitor",
    events: "pages copied or cleared by the monitor",
    unit: "4 KiB copied or cleared",
    from: "a handler has the addresses",
    to: "the last byte is written",
    prices: { kind: "counts", names: ["monitor.pagesCopied", "monitor.pagesCleared"] },
  },
  "root-load": {
    class: "monitor",
    events: "loads of CR3 by the monitor",
    unit: "load",
    from: "MOV to CR3 enters the pipeline, in the monitor",
    to: "it retires; the TLB misses that follow are counted apart",
    prices: { kind: "counts", names: ["monitor.rootLoads"] },
  },
  "tlb-invalidation": {
    class: "monitor",
    events: "invalidations of TLB entries by the monitor",
    unit: "page",
    from: "INVLPG enters the pipeline, in the monitor",
    to: "it retires",
    prices: { kind: "counts", names: ["monitor.tlbInvalidations"] },
  },
  "emulated-instruction": {
    class: "monitor",
    events: "instructions emulated by the monitor",
    unit: "instruction",
    from: "a handler knows that it has to emulate",
    to: "the virtual registers are written; memory and fields are counted apart",
    prices: { kind: "counts", names: ["monitor.emulated"] },
  },
  "translated-instruction": {
    class: "monitor",
    events: "instructions translated",
    unit: "instruction of the guest",
    from: "the translator fetches it",
    to: "its translation is in the cache, found by its address",
    prices: { kind: "counts", names: ["translation.instructions"] },
  },
  "translation-lookup": {
    class: "monitor",
    events: "look-ups of translations by the monitor",
    unit: "look-up",
    from: "the monitor has an address of the guest",
    to: "it has the address of the translation",
    prices: { kind: "counts", names: ["translation.lookupMisses"] },
  },
  "code-patch": {
    class: "monitor",
    events: "patches of translated code",
    unit: "jump rewritten",
    from: "the monitor knows the new target",
    to: "the jump is written, and the processor has dropped what it had decoded of it",
    prices: { kind: "counts", names: ["translation.chains"] },
  },
  hypercall: {
    class: "monitor",
    events: "hypercalls",
    unit: "hypercall",
    from: "the monitor knows that it was asked for a service, by a trap or inside a batch",
    to: "the service runs, its arguments at hand",
    prices: { kind: "counts", names: ["hypercalls", "multicallEntries"] },
  },
  validation: {
    class: "monitor",
    events: "page-table entries validated",
    unit: "page-table entry",
    from: "the monitor has an entry that the guest wants",
    to: "it knows whether the entry is allowed; frames looked at are counted apart",
    prices: { kind: "counts", names: ["monitor.validations"] },
  },
  "frame-check": {
    class: "monitor",
    events: "checks of a frame's owner, type and count",
    unit: "frame",
    from: "the monitor has a frame number",
    to: "it has read, or changed, what it keeps about the frame",
    prices: { kind: "counts", names: ["monitor.frameChecks"] },
  },
};
