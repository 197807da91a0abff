/**
 * What programs are made of: planned instructions, and what each needs around it in a program.
 */
import { decode, isDecodeFault, type Decoded } from "@ringside/isa";
import type { PlannedEncoding, ReplayMachine, VectorInput } from "@ringside/isa/testing";
import { variedInputs } from "./varied-inputs.ts";

/** A planned instruction that programs are made of. */
export interface Ingredient {
  readonly encoding: PlannedEncoding;
  readonly input: VectorInput;
  readonly decoded: Decoded;
  /** Whether it faults with the state that it was planned with. */
  readonly faults: boolean;
  /** Where it goes on: behind itself; by a relative distance; at what a register or the top of the stack holds. */
  readonly transfer: "none" | "relative" | "register" | "return";
}

/** Transfers of 16 bits leave the page of the code, and those through memory are met in single instructions. */
const UNFIT = /^(?:jmp|call|ret|loop\w*|j\w+) \| o16 |^ret \|.* iw /u;
const INDIRECT = /^(?:jmp|call) \| (?:o32 )?FF /u;
const RCX = 1;

/** Registers that an instruction implies, and with other values than planned faults nearly always. */
const IMPLIED: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^(?:movs|cmps|scas|lods|stos)[bwdq] /u, [RCX, 6, 7]],
  [/^maskmov/u, [7]],
  [/^xlatb? /u, [3]],
  [/^(?:leave|enter) /u, [5]],
  [/^i?div /u, [0, 2]],
];

/** Everything that programs of a round are made of. */
export function ingredients(
  plan: readonly PlannedEncoding[],
  round: number,
  machine: ReplayMachine,
): readonly Ingredient[] {
  return plan
    .filter(({ key }) => !UNFIT.test(key))
    .flatMap((encoding) =>
      variedInputs(encoding, round).flatMap((input) => {
        const decoded = decode(input.code, 0, { mode: input.mode });
        // Too long by its prefixes, which single instructions show.
        if (isDecodeFault(decoded)) return [];
        if (INDIRECT.test(encoding.key) && decoded.memory !== undefined) return [];
        const faults = machine.execute(input).fault !== undefined;
        return [{ encoding, input, decoded, faults, transfer: transferOf(encoding, decoded) }];
      }),
    );
}

function transferOf({ key }: PlannedEncoding, { form }: Decoded): Ingredient["transfer"] {
  if (form.operands.some(({ source }) => source === "relative")) return "relative";
  if (INDIRECT.test(key)) return "register";
  return key.startsWith("ret ") ? "return" : "none";
}

/** Whether an instruction may stand before others: not when x87 condition codes are left that a later FSTSW could show and processors dispute. */
export function canBeFollowed({ encoding }: Ingredient): boolean {
  return encoding.except.statusWord === 0;
}

/**
 * General registers that get their planned values again in front of an instruction: those that address memory, and those
 * that keep it from faulting nearly always.
 */
export function registersToSet({ encoding, decoded }: Ingredient): readonly number[] {
  const { memory } = decoded;
  const numbers = new Set(memory === undefined ? [] : [memory.base, memory.index]);
  for (const [rows, implied] of IMPLIED)
    if (rows.test(encoding.key)) for (const number of implied) numbers.add(number);
  // The number of a bit reaches beyond the operand.
  if (memory !== undefined && /^bt[crs]? /u.test(encoding.key))
    for (const number of decoded.registers) numbers.add(number);
  return [...numbers].filter((number) => number >= 0);
}
