/**
 * The instruction table as Popek and Goldberg would read it.
 *
 * G. Popek, R. Goldberg, "Formal Requirements for Virtualizable Third Generation Architectures", CACM 1974.
 */
import type { Classification, Instruction } from "@ringside/isa";

/** One instruction of the table. */
export interface InstructionClass {
  readonly mnemonic: string;
  /** When it traps outside the most privileged ring. */
  readonly privilege: string;
  readonly sensitive: "innocuous" | "control sensitive" | "behaviour sensitive";
  /** Sensitive, and does not always trap outside ring 0: what breaks trap-and-emulate. */
  readonly critical: boolean;
  /** Why it is sensitive, or an empty string. */
  readonly why: string;
  readonly reference: string;
}

const PRIVILEGES: Readonly<Record<Classification["privilege"], string>> = {
  none: "never traps",
  cpl0: "traps outside ring 0",
  iopl: "traps when CPL > IOPL",
  io: "traps by IOPL and I/O bitmap",
  cr4: "traps when CR4 says so",
};

/** In the order of mnemonics; an instruction with several entries in the table is listed once for each class. */
export function classes(table: readonly Instruction[]): readonly InstructionClass[] {
  const seen = new Map<string, InstructionClass>();
  for (const { mnemonic, reference, classification } of table) {
    const entry = classOf(mnemonic, reference, classification);
    const key = `${mnemonic} ${entry.privilege} ${entry.sensitive}`;
    if (!seen.has(key)) seen.set(key, entry);
  }
  return [...seen.values()].toSorted((a, b) =>
    a.mnemonic < b.mnemonic ? -1 : Number(a.mnemonic > b.mnemonic),
  );
}

function classOf(
  mnemonic: string,
  reference: string,
  classification: Classification = { privilege: "none" },
): InstructionClass {
  const { privilege, sensitive, why } = classification;
  return {
    mnemonic,
    privilege: PRIVILEGES[privilege],
    sensitive: sensitive === undefined ? "innocuous" : `${sensitive} sensitive`,
    critical: sensitive !== undefined && (privilege === "none" || privilege === "cr4"),
    why: why ?? "",
    reference,
  };
}
