/**
 * Handlers by how often they run, the frequent ones first.
 *
 * Order of mnemonics measured over the boots and benchmarks that `pnpm bench` runs; sizes that compilers emit come first.
 */
import type { Form } from "../decoder/decoded.ts";

const FREQUENT = `
mov add cmp jnz jz test lea sub push pop call ret jmp xor and movzx shl shr or jnc jc jbe jnbe jl jnl jle jnle js jns
movsxd imul inc dec sar movsx setz setnz sbb adc rol ror neg not cmovz cmovnz cmovc cmovnc cmovbe cmovnbe cmovl cmovnl
cmovle cmovnle nop xchg cdqe bt mul div movsb movsq stosb stosq
`
  .trim()
  .split(/\s+/u);

const SYNONYMS: Readonly<Record<string, string>> = {
  je: "jz",
  jne: "jnz",
  jb: "jc",
  jae: "jnc",
  ja: "jnbe",
  jge: "jnl",
  jg: "jnle",
  sete: "setz",
  setne: "setnz",
  cmove: "cmovz",
  cmovne: "cmovnz",
  cmovb: "cmovc",
  cmovae: "cmovnc",
  cmova: "cmovnbe",
  cmovge: "cmovnl",
  cmovg: "cmovnle",
};

const RANKS: ReadonlyMap<string, number> = new Map(FREQUENT.map((mnemonic, index) => [mnemonic, index]));
const RARE = 10_000;

/** Position in the order of handlers; forms with the same rank keep the table's order. */
export function rankOf(form: Form): number {
  const { mnemonic } = form.instruction;
  const rank = RANKS.get(SYNONYMS[mnemonic] ?? mnemonic) ?? RANKS.size;
  const size = form.width >= 32 ? 0 : form.width === 8 ? 200 : 400;
  return rank + size + (form.mode === 64 ? 0 : RARE);
}
