/**
 * The PC around a processor: buses, interrupt controllers, timers, devices and boot loaders.
 *
 * In a nutshell: {@link loadKernel} writes a kernel into memory, {@link Machine} wires a processor to its
 * devices, {@link enterKernel} sets the registers, `machine.run` goes on until something happens. A {@link Board} is the
 * same PC without its processor, for hypervisors.
 *
 * @packageDocumentation
 */
export { Board, type BoardEnd, type BoardOptions, type IdleStep } from "./board.ts";
export { Cmos, type CmosOptions } from "./devices/cmos.ts";
export { DebugConsole } from "./devices/debug-console.ts";
export type { DmaMemory } from "./dma.ts";
export { ExitPort } from "./devices/exit-port.ts";
export { Pit, pitHertz } from "./devices/pit.ts";
export { PostPort } from "./devices/post-port.ts";
export { Uart, type UartOptions } from "./devices/uart.ts";
export { MemoryFolder } from "./fuse/memory-folder.ts";
export {
  SharedFolderError,
  type FolderChanges,
  type FolderSpace,
  type SharedFile,
  type SharedFolder,
  type SharedFolderErrorCode,
  type SharedKind,
  type SharedStatus,
  type WritableFile,
} from "./fuse/shared-folder.ts";
export type { Hardware } from "./hardware.ts";
export { FrameAllotter, frameBytes, type FrameRange } from "./frames.ts";
export { isBzImage } from "./loaders/bzimage.ts";
export { InterruptController, type ProcessorPins } from "./interrupts/interrupt-controller.ts";
export { LocalApic, localApicBase, type LocalApicLines } from "./interrupts/local-apic.ts";
export { Pic } from "./interrupts/pic.ts";
export {
  BootMemory,
  maximumMemoryBytes,
  minimumMemoryBytes,
  type BootTarget,
  type MemoryMapEntry,
} from "./loaders/boot-memory.ts";
export { isElf, parseElf, type Elf, type ElfNote, type ElfSegment } from "./loaders/elf.ts";
export { ImageError } from "./loaders/image-error.ts";
export {
  enterKernel,
  kernelFormatOf,
  loadKernel,
  type Gdt,
  type KernelEntry,
  type KernelFormat,
  type KernelImage,
  takesModules,
} from "./loaders/kernel.ts";
export type { BootModule } from "./loaders/start-info.ts";
export { unpackKernel } from "./loaders/unpack/unpack-kernel.ts";
export { Machine, type MachineExit, type MachineOptions } from "./machine.ts";
export type { EthernetLink, EthernetPort } from "./network/ethernet-link.ts";
export { EthernetSwitch } from "./network/ethernet-switch.ts";
export type {
  HostConnection,
  HostConnectionEvents,
  HostDatagram,
  HostDatagrams,
  HostSockets,
} from "./network/host-sockets.ts";
export { UserNetwork } from "./network/user-network.ts";
export { PortBus, type AccessBytes, type PortDevice, type PortRange } from "./ports.ts";
export { BlockStoreError, MemoryStore, type BlockStore } from "./storage/block-store.ts";
export { OverlayStore, type OverlayOptions } from "./storage/overlay-store.ts";
export { Timeline, type Clock, type ScheduledEvent } from "./timeline.ts";
export type { Disk } from "./virtio/block-device.ts";
export { ConsoleLine } from "./virtio/console-device.ts";
export type { NetworkCard } from "./virtio/network-device.ts";
export type { Share } from "./virtio/file-share-device.ts";
