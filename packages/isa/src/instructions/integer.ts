/**
 * The general-purpose instructions: integers, control flow, the stack, strings.
 *
 * Intel SDM Vol. 1 §5.1, "General-Purpose Instructions".
 */
import type { Instruction } from "../dsl.ts";
import { mov } from "./mov.ts";
import { movzx, movsx, movsxd } from "./mov-extended.ts";
import { lea } from "./lea.ts";
import { add } from "./add.ts";
import { adc } from "./adc.ts";
import { sub } from "./sub.ts";
import { sbb } from "./sbb.ts";
import { cmp } from "./cmp.ts";
import { and } from "./and.ts";
import { or } from "./or.ts";
import { xor } from "./xor.ts";
import { test } from "./test.ts";
import { not } from "./not.ts";
import { neg } from "./neg.ts";
import { inc } from "./inc.ts";
import { dec } from "./dec.ts";
import { mul, imul } from "./multiply.ts";
import { aaa, aad, aam, aas, daa, das } from "./decimal.ts";
import { div, idiv } from "./divide.ts";
import { shl, sal, shr, sar } from "./shift.ts";
import { rcl, rcr, rol, ror } from "./rotate.ts";
import { shld, shrd } from "./double-shift.ts";
import { bt, bts, btr, btc } from "./bit-test.ts";
import { bsf, bsr, popcnt } from "./bit-scan.ts";
import { bound } from "./bound.ts";
import { bswap } from "./bswap.ts";
import { xchg } from "./xchg.ts";
import { xadd } from "./xadd.ts";
import { cmpxchg } from "./cmpxchg.ts";
import { cmpxchg8b, cmpxchg16b } from "./cmpxchg-wide.ts";
import { setcc } from "./setcc.ts";
import { cmovcc } from "./cmovcc.ts";
import { jcc } from "./jcc.ts";
import { jmp, call, ret } from "./near-transfer.ts";
import { loop, loope, loopne, jcxz, jecxz, jrcxz } from "./loop.ts";
import { push, pusha, pushad } from "./push.ts";
import { pop, popa, popad } from "./pop.ts";
import { leave, enter } from "./frame.ts";
import { cbw, cwde, cdqe, cwd, cdq, cqo } from "./convert.ts";
import {
  movsb,
  movsw,
  movsd,
  movsq,
  cmpsb,
  cmpsw,
  cmpsd,
  cmpsq,
  scasb,
  scasw,
  scasd,
  scasq,
  lodsb,
  lodsw,
  lodsd,
  lodsq,
  stosb,
  stosw,
  stosd,
  stosq,
} from "./string.ts";
import { clc, stc, cmc, cld, std, lahf, sahf } from "./flag-control.ts";
import { xlat } from "./xlat.ts";
import { nop, reservedNop, endbr64, endbr32, pause, mark } from "./nop.ts";
import { ud0, ud1, ud2 } from "./undefined-opcode.ts";
import {
  prefetchnta,
  prefetcht0,
  prefetcht1,
  prefetcht2,
  prefetchw,
  lfence,
  mfence,
  sfence,
  clflush,
  movnti,
} from "./cache-hint.ts";

export const integerInstructions: readonly Instruction[] = [
  mov,
  movzx,
  movsx,
  movsxd,
  lea,
  add,
  adc,
  sub,
  sbb,
  cmp,
  and,
  or,
  xor,
  test,
  not,
  neg,
  inc,
  dec,
  mul,
  imul,
  div,
  idiv,
  daa,
  das,
  aaa,
  aas,
  aam,
  aad,
  shl,
  sal,
  shr,
  sar,
  rcl,
  rcr,
  rol,
  ror,
  shld,
  shrd,
  bt,
  bts,
  btr,
  btc,
  bsf,
  bsr,
  popcnt,
  bound,
  bswap,
  xchg,
  xadd,
  cmpxchg,
  cmpxchg8b,
  cmpxchg16b,
  ...setcc,
  ...cmovcc,
  ...jcc,
  jmp,
  call,
  ret,
  loop,
  loope,
  loopne,
  jcxz,
  jecxz,
  jrcxz,
  push,
  pusha,
  pushad,
  pop,
  popa,
  popad,
  leave,
  enter,
  cbw,
  cwde,
  cdqe,
  cwd,
  cdq,
  cqo,
  movsb,
  movsw,
  movsd,
  movsq,
  cmpsb,
  cmpsw,
  cmpsd,
  cmpsq,
  scasb,
  scasw,
  scasd,
  scasq,
  lodsb,
  lodsw,
  lodsd,
  lodsq,
  stosb,
  stosw,
  stosd,
  stosq,
  clc,
  stc,
  cmc,
  cld,
  std,
  lahf,
  sahf,
  xlat,
  nop,
  reservedNop,
  endbr64,
  endbr32,
  pause,
  mark,
  ud0,
  ud1,
  ud2,
  prefetchnta,
  prefetcht0,
  prefetcht1,
  prefetcht2,
  prefetchw,
  lfence,
  mfence,
  sfence,
  clflush,
  movnti,
];
