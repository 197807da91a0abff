/**
 * How an instruction is translated: decided by its row alone, never by a list of opcodes.
 *
 * A row that Popek and Goldberg would call innocuous is copied, unless it names RIP or ends a run of code. The
 * others are sensitive or privileged: a few that kernels execute all the time become code in the cache, all others call out.
 */
import type { Decoded } from "@ringside/isa";

export type Treatment =
  | "copy"
  | "rip-relative"
  | "jump"
  | "branch"
  | "loop"
  | "call"
  | "jump-indirect"
  | "call-indirect"
  | "return"
  | "in-cache"
  | "callout";

/** What was done, in words. */
export const treatmentReasons: Readonly<Record<Treatment, string>> = {
  copy: "copied: innocuous",
  "rip-relative": "the operand's address counts from RIP, which differs in the cache",
  jump: "goes on at another unit; chained once that is translated",
  branch: "both ways leave the unit; each is chained once it is translated",
  loop: "reaches 127 bytes only: a jump follows for each way",
  call: "pushes the guest's own return address, then goes on at another unit",
  "jump-indirect": "the target is looked up in a hash table, flags preserved",
  "call-indirect": "pushes the guest's own return address; the target is looked up",
  return: "the guest's return address is looked up in a hash table, flags preserved",
  "in-cache": "sensitive and simple: done on the virtual CPU by code in the cache",
  callout: "sensitive or privileged: the hypervisor executes it",
};

const loops: ReadonlySet<string> = new Set(["loop", "loope", "loopne", "jcxz", "jecxz", "jrcxz"]);
/** Control registers that are read from slots. */
const readControls: ReadonlySet<number> = new Set([0, 2, 3, 4, 8]);
const taskPriorityRegister = 8;
const postPort = 0x80n;

export function treatmentOf(decoded: Decoded): Treatment {
  const { form } = decoded;
  const { instruction, mnemonic } = form;
  if (instruction.classification !== undefined) return isSimple(decoded) ? "in-cache" : "callout";
  if (form.operands.some(({ source }) => source === "relative")) {
    if (loops.has(mnemonic)) return "loop";
    if (mnemonic === "jmp") return "jump";
    return mnemonic === "call" ? "call" : "branch";
  }
  if (mnemonic === "ret") return "return";
  if (mnemonic === "jmp") return "jump-indirect";
  if (mnemonic === "call") return "call-indirect";
  // UD2 and its kin raise their exception in the hypervisor as well as anywhere.
  if (instruction.ends === true) return "callout";
  if (decoded.memory?.base !== ripBase) return "copy";
  return decoded.memory.addressWidth === 64 ? "rip-relative" : "callout";
}

/** {@link Decoded.memory}'s base when it is RIP. */
export const ripBase = -2;

/** Sensitive instructions that have a sequence of their own, see in-cache.ts. */
function isSimple({ form, registers, immediate }: Decoded): boolean {
  switch (form.mnemonic) {
    case "cli":
    case "sti":
    case "swapgs":
    // The host's counter is the guest's: its time is the machine's, and nothing shares the machine.
    case "rdtsc":
    case "rdtscp":
    case "pushfq":
    case "popfq":
      return true;
    case "in":
      return form.width === 8 && form.operands[1]?.source === "immediate" && immediate === postPort;
    case "mov": {
      const control = form.operands.findIndex(({ kind }) => kind === "control");
      if (control < 0) return false;
      const number = registers[control] ?? -1;
      return control === 1 ? readControls.has(number) : number === taskPriorityRegister;
    }
    default:
      return false;
  }
}
