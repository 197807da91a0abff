/**
 * What counted events mean, in the words of the walk through an operation.
 *
 * One table for all strategies: an event has the same words wherever it happens, and a strategy that counts
 * something new gets its words here.
 */

/** What an event does to the flow of control. */
export type EventRole =
  /** Control leaves what ran: for the guest's kernel or for a monitor. */
  | "entering"
  /** A monitor, which has control, does something that is worth a line. */
  | "serving"
  /** A monitor gives control back. */
  | "resuming"
  /** An instruction of the guest that is worth a line. */
  | "executing";

export interface EventWords {
  readonly role: EventRole;
  /** A few words, `A page fault (#PF)`. */
  readonly name: string;
  /** What it means, for the first time that it is told; empty when the name says all. */
  readonly meaning: string;
  /** Of several events of one unit, the one with the lower rank is told first. */
  readonly rank: number;
}

interface Entry {
  readonly name: RegExp;
  readonly role: EventRole;
  /** The name, and after a colon the meaning. */
  readonly say: (what: string) => string;
}

const exceptionNames: Readonly<Record<string, string>> = {
  "0": "A division error (#DE)",
  "1": "A debug exception (#DB)",
  "3": "A breakpoint (#BP)",
  "6": "An undefined instruction (#UD)",
  "7": "The floating-point unit is not available (#NM)",
  "8": "A double fault (#DF)",
  "13": "A protection fault (#GP)",
  "14": "A page fault (#PF)",
};

function exception(vector: string): string {
  return exceptionNames[vector] ?? `Exception ${vector}`;
}

/** The first entry whose name matches decides; what happens first in a unit comes first. */
const entries: readonly Entry[] = [
  {
    name: /^exceptions\.(\d+)$/u,
    role: "entering",
    say: (vector) => `${exception(vector)}: the processor delivers it through the guest's own IDT.`,
  },
  {
    name: /^monitor\.exceptions\.(\d+)$/u,
    role: "entering",
    say: (vector) => `${exception(vector)}: ring 0 belongs to the monitor, so the monitor gets it.`,
  },
  {
    name: /^interrupts\.(\d+)$/u,
    role: "entering",
    say: (vector) => `Interrupt ${vector}: the processor delivers it through the guest's own IDT.`,
  },
  {
    name: /^monitor\.(?:interrupt|nmi)$/u,
    role: "entering",
    say: () => "A host interrupt: the timer rang, and the monitor lets the guest's devices go on.",
  },
  {
    name: /^monitor\.syscall$/u,
    role: "entering",
    say: () => "SYSCALL: ring 0 belongs to the monitor, so the monitor gets it.",
  },
  {
    name: /^mnemonics\.syscall$/u,
    role: "entering",
    say: () => "SYSCALL: the processor enters the guest's kernel.",
  },
  {
    name: /^callouts\.emulate\.(.+)$/u,
    role: "entering",
    say: (mnemonic) =>
      `Callout for ${mnemonic.toUpperCase()}: translated code calls the monitor where the guest's code has an instruction that cannot be translated; a call, and no trap.`,
  },
  {
    name: /^callouts\.(.+)$/u,
    role: "entering",
    say: (why) =>
      `Callout (${why.replaceAll("-", " ")}): translated code calls the monitor; that is a call, and no trap.`,
  },
  {
    name: /^monitor\.software-interrupts\.(\d+)$/u,
    role: "entering",
    say: (vector) => `INT ${vector}: ring 0 belongs to the monitor, so the monitor gets it.`,
  },
  {
    name: /^mnemonics\.int3?$/u,
    role: "entering",
    say: () => "INT: the processor enters the guest's handler.",
  },
  {
    name: /^exits\.exception-or-nmi$/u,
    role: "entering",
    say: () =>
      "VM exit for a page fault: the VMCS says so; the processor saves the guest and runs the hypervisor.",
  },
  {
    name: /^exits\.io-instruction$/u,
    role: "entering",
    say: () =>
      "VM exit for a port access: the processor saves the guest in the VMCS and runs the hypervisor.",
  },
  {
    name: /^exits\.ept-violation$/u,
    role: "entering",
    say: () =>
      "VM exit for an EPT violation: the extended page tables have no frame for the guest's address.",
  },
  {
    name: /^exits\.control-register-access$/u,
    role: "entering",
    say: () =>
      "VM exit for a control register: the guest reads or writes what the hypervisor keeps to itself.",
  },
  {
    name: /^exits\.external-interrupt$/u,
    role: "entering",
    say: () =>
      "VM exit for an interrupt: the host's timer rang, and the hypervisor lets the guest's devices go on.",
  },
  {
    name: /^exits\.(.+)$/u,
    role: "entering",
    say: (reason) =>
      `VM exit (${reason.replaceAll("-", " ")}): the processor saves the guest in the VMCS and runs the hypervisor.`,
  },
  {
    name: /^hypercalls\.(.+)$/u,
    role: "serving",
    say: (name) =>
      `Hypercall ${name}: the guest's kernel asked for it, and the hypervisor does it.`,
  },
  {
    name: /^multicallEntries\.(.+)$/u,
    role: "serving",
    say: (name) => `In the list, ${name}: one of several requests of one hypercall.`,
  },
  {
    name: /^eventUpcalls$/u,
    role: "serving",
    say: () => "An event: the hypervisor sets a bit in shared memory and calls the guest's kernel.",
  },
  {
    name: /^writableTables$/u,
    role: "serving",
    say: () =>
      "A store to a page table: the guest's kernel did not ask, so the hypervisor validates and does the store for it.",
  },
  {
    name: /^bounces\.(.+)$/u,
    role: "serving",
    say: (kind) =>
      `Bounce (${kind.replace("exception.", "exception ").replaceAll("-", " ")}): the hypervisor builds a frame on the stack of the guest's kernel, as the processor would have.`,
  },
  {
    name: /^faults\.hidden$/u,
    role: "serving",
    say: () =>
      "A hidden fault: the guest's own tables allow the access, the shadow lacked it; the shadow is filled and the guest tries again.",
  },
  {
    name: /^faults\.true$/u,
    role: "serving",
    say: () =>
      "A true fault: the guest's own tables forbid the access, so its kernel is to see the fault.",
  },
  {
    name: /^faults\.traced$/u,
    role: "serving",
    say: () =>
      "A traced write: the guest writes one of its page tables, so the write is emulated and the shadow follows.",
  },
  {
    name: /^faults\.device$/u,
    role: "serving",
    say: () => "A device: there is no memory at the address.",
  },
  {
    name: /^deliveries$/u,
    role: "serving",
    say: () =>
      "A delivery: the monitor pushes the frame and goes to the handler that the guest's IDT names.",
  },
  {
    name: /^monitor\.emulated\.(.+)$/u,
    role: "serving",
    say: (mnemonic) =>
      `Emulated ${mnemonic.toUpperCase()}: the monitor fetches, decodes and executes the guest's instruction for it.`,
  },
  {
    name: /^systemCalls\.(.+)$/u,
    role: "serving",
    say: (name) => `${name}(): the shared kernel serves the system call.`,
  },
  {
    name: /^kernel\.(.+)$/u,
    role: "serving",
    say: (what) =>
      `${what[0]?.toUpperCase()}${what.slice(1).replaceAll(/[A-Z]/gu, (letter) => ` ${letter.toLowerCase()}`)}: the shared kernel's work.`,
  },
  {
    name: /^entries$/u,
    role: "resuming",
    say: () =>
      "VM entry: the processor loads the guest from the VMCS, and delivers an event if the hypervisor left one there.",
  },
  {
    name: /^returns\.(iret|sysret)$/u,
    role: "resuming",
    say: (how) => `${how.toUpperCase()} by the monitor: the guest goes on.`,
  },
  {
    name: /^mnemonics\.sysret$/u,
    role: "executing",
    say: () => "SYSRET: back to the program.",
  },
  {
    name: /^mnemonics\.iret$/u,
    role: "executing",
    say: () => "IRET: back to what was interrupted.",
  },
  {
    name: /^mnemonics\.mov-to-cr3$/u,
    role: "executing",
    say: () => "CR3 written: another address space, and a TLB that has nothing of it.",
  },
  {
    name: /^mnemonics\.ins?$/u,
    role: "executing",
    say: () => "IN: the processor waits for the device's answer.",
  },
  {
    name: /^mnemonics\.outs?$/u,
    role: "executing",
    say: () => "OUT: the processor waits until the device has the value.",
  },
  {
    name: /^mnemonics\.mov-to-cr8$/u,
    role: "executing",
    say: () => "CR8 written: the task priority changes, and no interrupt waited for that.",
  },
];

/** The words for an event, by the dotted name it is counted under; undefined for what needs no line of its own. */
export function wordsFor(name: string): EventWords | undefined {
  for (const [rank, entry] of entries.entries()) {
    const match = entry.name.exec(name);
    if (match === null) continue;
    const [title = "", meaning = ""] = entry.say(match[1] ?? "").split(": ");
    return { role: entry.role, name: title, meaning, rank };
  }
  return undefined;
}
