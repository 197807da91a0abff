/**
 * Paravirtualization as Xen does it: the guest's kernel is built for it and asks by hypercall.
 *
 * In a nutshell: a domain is built from an ELF file with Xen's notes; its kernel and its programs run at ring 3, on
 * page tables of their own that the hypervisor has validated; what a kernel does with privileged instructions
 * elsewhere, it asks for here, with Xen's numbers and structures.
 *
 * @packageDocumentation
 */
export type { FrameOrder } from "./memory/machine-memory.ts";
export { paravirt, type ParavirtOptions } from "./paravirt.ts";
