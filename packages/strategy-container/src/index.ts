/**
 * Containers: guest programs run on one shared kernel, and there is no guest kernel.
 *
 * In a nutshell: processes execute at CPL 3 on the processor, on page tables that the kernel builds in the machine's
 * memory. A system call or a fault is an event of the processor, which the kernel (TypeScript, Linux's x86-64
 * interface) serves before it lets the processor go on. Start reading at kernel/kernel.ts; the calls are the rows of
 * syscalls/.
 *
 * @packageDocumentation
 */
export { container } from "./container.ts";
export type { ContainerOptions } from "./container-machine.ts";
export { linuxSystemCalls } from "./syscalls/index.ts";
export type { SystemCall, SystemCallTable } from "./kernel/system-call.ts";
