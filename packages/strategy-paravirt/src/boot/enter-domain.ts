/** Sets the processor to where a domain begins. Xen, tools/libs/guest/xg_dom_x86.c, vcpu_x86_64. */
import { CR4, slots, type ProcessorState } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import { FLAT_CODE_SELECTOR, FLAT_DATA_SELECTOR } from "../abi/domain.ts";
import { DESCRIPTOR_PAGES, GDT_LINEAR } from "../memory/xen-area.ts";
import type { DomainStart } from "./domain-builder.ts";

/** Xen's page attribute table: WB, WT, UC-, UC, WC, WP, UC, UC. */
const XEN_PAT = 0x0000_0501_0007_0406n;
const UNUSABLE = 0x1_0000;
/** A busy 64-bit task state segment, too short for an I/O bitmap. */
const TASK_ATTRIBUTES = 0x8b;
const FLAT_LIMIT = 0xffff_ffff;

export function enterDomain(state: ProcessorState, start: DomainStart): void {
  const { root, rip, rsp } = start;
  state.enterLongMode({ cpl: 3, cr3: root * frameBytes, rip, rsp });
  const flat = { base: 0n, limit: FLAT_LIMIT };
  state.setSegment("cs", { ...flat, selector: FLAT_CODE_SELECTOR, attributes: 0xa0fb });
  state.setSegment("ss", { ...flat, selector: FLAT_DATA_SELECTOR, attributes: 0xc0f3 });
  for (const name of ["ds", "es", "fs", "gs"] as const) {
    state.setSegment(name, { selector: 0, base: 0n, limit: 0, attributes: UNUSABLE });
  }
  state.setSegment("tr", { selector: 0, base: 0n, limit: 0, attributes: TASK_ATTRIBUTES });
  state.setSegment("ldtr", { selector: 0, base: 0n, limit: 0, attributes: UNUSABLE });
  state.set(slots.gdtrBase, GDT_LINEAR);
  state.setNumber(slots.gdtrLimit, DESCRIPTOR_PAGES * frameBytes - 1);
  state.setNumber(slots.idtrLimit, 0);
  state.set(slots.pat, XEN_PAT);
  // Pages of programs are global, so that they stay in the TLB on the way into the guest's kernel and back.
  state.setControl("cr4", state.cr4 | CR4.PGE);
  state.rsi = start.startInfo;
}
