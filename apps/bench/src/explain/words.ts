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
  readonly text: string;
}

interface Entry {
  readonly name: RegExp;
  readonly role: EventRole;
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

/** The first entry whose name matches decides. */
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
    say: () => "An interrupt of the host's timer: the monitor gets it.",
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
      "A page fault, and the VMCS says that page faults exit: the processor saves the guest and runs the hypervisor.",
  },
  {
    name: /^exits\.io-instruction$/u,
    role: "entering",
    say: () => "A port access exits: the processor saves the guest and runs the hypervisor.",
  },
  {
    name: /^exits\.ept-violation$/u,
    role: "entering",
    say: () =>
      "The extended page tables have no frame here: the processor saves the guest and runs the hypervisor.",
  },
  {
    name: /^exits\.control-register-access$/u,
    role: "entering",
    say: () =>
      "An access to a control register exits: the processor saves the guest and runs the hypervisor.",
  },
  {
    name: /^exits\.external-interrupt$/u,
    role: "entering",
    say: () => "An interrupt of the host's timer exits: the hypervisor gets it.",
  },
  {
    name: /^exits\.(.+)$/u,
    role: "entering",
    say: (reason) =>
      `A VM exit (${reason.replaceAll("-", " ")}): the processor saves the guest and runs the hypervisor.`,
  },
  {
    name: /^callouts\.(.+)$/u,
    role: "entering",
    say: (why) =>
      `The translated code calls the monitor (${why.replaceAll("-", " ")}): no trap, a call out of the cache.`,
  },
  {
    name: /^hypercalls\.(.+)$/u,
    role: "serving",
    say: (name) => `The hypervisor serves the hypercall ${name}.`,
  },
  {
    name: /^bounces\.(.+)$/u,
    role: "serving",
    say: (kind) =>
      `The hypervisor builds a frame on the guest kernel's stack, as the processor would have (${kind.replaceAll("-", " ")}).`,
  },
  {
    name: /^faults\.hidden$/u,
    role: "serving",
    say: () =>
      "A hidden fault: the guest's own tables allow the access, only the shadow lacked it. The shadow is filled, and the guest tries again.",
  },
  {
    name: /^faults\.true$/u,
    role: "serving",
    say: () => "A true fault: the guest's own tables forbid the access. The fault is the guest's.",
  },
  {
    name: /^faults\.traced$/u,
    role: "serving",
    say: () =>
      "A traced page: the guest writes one of its page tables, so the write is emulated and the shadow follows.",
  },
  {
    name: /^faults\.device$/u,
    role: "serving",
    say: () => "There is no memory at the address: a device answers.",
  },
  {
    name: /^monitor\.emulated\.(.+)$/u,
    role: "serving",
    say: (mnemonic) => `The monitor executes the guest's ${mnemonic.toUpperCase()} for it.`,
  },
  {
    name: /^systemCalls\.(.+)$/u,
    role: "serving",
    say: (name) => `The shared kernel serves ${name}().`,
  },
  {
    name: /^entries$/u,
    role: "resuming",
    say: () =>
      "VM entry: the processor loads the guest from the VMCS, with the event to deliver if there is one.",
  },
  {
    name: /^returns\.(iret|sysret)$/u,
    role: "resuming",
    say: (how) => `The monitor resumes the guest (${how.toUpperCase()}).`,
  },
  {
    name: /^mnemonics\.sysret$/u,
    role: "executing",
    say: () => "SYSRET: the kernel returns to the program.",
  },
  {
    name: /^mnemonics\.iret$/u,
    role: "executing",
    say: () => "IRET: the handler returns to what was interrupted.",
  },
  {
    name: /^mnemonics\.mov-to-cr3$/u,
    role: "executing",
    say: () => "The kernel loads CR3: another address space, and a TLB without its entries.",
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
    say: () => "The kernel sets the task priority: no interrupt waits for it.",
  },
];

/** The words for an event, by the dotted name it is counted under; undefined for what needs no line of its own. */
export function wordsFor(name: string): EventWords | undefined {
  for (const entry of entries) {
    const match = entry.name.exec(name);
    if (match !== null) return { role: entry.role, text: entry.say(match[1] ?? "") };
  }
  return undefined;
}
