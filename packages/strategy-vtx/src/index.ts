/**
 * Hardware virtualization: a hypervisor on VT-x, with extended page tables.
 *
 * The guest kernel is unmodified and runs in ring 0 of non-root mode; its page tables, exceptions and system calls
 * are its own. The hypervisor gets control for devices, for interrupts and where guest memory is first touched.
 *
 * @packageDocumentation
 */
export { vtx, vtxShadow } from "./vtx.ts";
