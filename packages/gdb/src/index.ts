/**
 * The GDB remote serial protocol: a stub through which a debugger sees a virtual machine, and a client that sees
 * through the stub of another machine, such as QEMU's.
 *
 * In a nutshell: {@link GdbServer} drives a machine as its debugger says, {@link GdbClient} is such a debugger; each
 * talks over a {@link Connection}, which is any way to send bytes.
 *
 * @packageDocumentation
 */
export { GdbClient, type StopReply } from "./client.ts";
export type { Connection, ConnectionListener } from "./connection.ts";
export { GdbError } from "./gdb-error.ts";
export { encodePacket, PacketReader, type PacketEvent } from "./packet.ts";
export { GdbServer, type GdbServerOptions } from "./server.ts";
export { describedRegisters, type DescribedRegister } from "./target-description.ts";
export { targetRegisters, targetXml, type TargetRegister } from "./target-registers.ts";
