/** The system instructions, as one list. */
import type { Instruction } from "../dsl.ts";
import {
  clts,
  lmsw,
  movFromControl,
  movFromDebug,
  movToControl,
  movToDebug,
  smsw,
} from "./control-registers.ts";
import { cpuid } from "./cpuid.ts";
import { arpl, lar, lsl, verr, verw } from "./descriptor-checks.ts";
import { lgdt, lidt, lldt, ltr, sgdt, sidt, sldt, str } from "./descriptor-tables.ts";
import { callFar, iret, jmpFar, retf } from "./far-transfers.ts";
import { clac, cli, popf, pushf, stac, sti } from "./flags-register.ts";
import { rdfsbase, rdgsbase, wrfsbase, wrgsbase } from "./segment-bases.ts";
import { hlt } from "./halt.ts";
import { int, int1, int3, into } from "./interrupts.ts";
import { rdmsr, rsm, swapgs, wrmsr } from "./model-specific-registers.ts";
import { input, insb, insd, insw, output, outsb, outsd, outsw } from "./ports.ts";
import {
  lds,
  les,
  lfs,
  lgs,
  lss,
  movFromSegment,
  movToSegment,
  popSegment,
  pushSegment,
} from "./segment-registers.ts";
import { syscall, sysenter, sysexit, sysexitq, sysret, sysretq } from "./system-calls.ts";
import { rdpmc, rdtsc, rdtscp } from "./time-stamp.ts";
import { invd, invlpg, invpcid, wbinvd } from "./tlb.ts";

export const systemInstructions: readonly Instruction[] = [
  lgdt,
  lidt,
  sgdt,
  sidt,
  lldt,
  ltr,
  sldt,
  str,
  movFromControl,
  movToControl,
  movFromDebug,
  movToDebug,
  lmsw,
  smsw,
  clts,
  movFromSegment,
  movToSegment,
  pushSegment,
  popSegment,
  les,
  lss,
  lds,
  lfs,
  lgs,
  lar,
  lsl,
  verr,
  verw,
  arpl,
  jmpFar,
  callFar,
  retf,
  iret,
  int,
  int3,
  into,
  int1,
  syscall,
  sysret,
  sysretq,
  sysenter,
  sysexit,
  sysexitq,
  pushf,
  popf,
  cli,
  sti,
  clac,
  stac,
  input,
  output,
  insb,
  insw,
  insd,
  outsb,
  outsw,
  outsd,
  hlt,
  cpuid,
  rdtsc,
  rdtscp,
  rdpmc,
  invlpg,
  invpcid,
  invd,
  wbinvd,
  rdmsr,
  wrmsr,
  swapgs,
  rdfsbase,
  rdgsbase,
  wrfsbase,
  wrgsbase,
  rsm,
];
