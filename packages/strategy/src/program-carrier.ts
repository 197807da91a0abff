/** How a strategy whose guests are kernels runs a program: a kernel that carries it, and a console that carries its streams. */
import type { KernelImage } from "@ringside/machine";
import type { ProgramGuest } from "./guest.ts";

/** What takes programs to a guest kernel and brings their streams back; `programCarrier()` of `@ringside/guest` makes one. */
export interface ProgramCarrier {
  /**
   * The kernel to boot, with the program in it.
   *
   * @throws {RangeError} when a string or a path of the program cannot be handed over.
   */
  kernel(program: ProgramGuest): KernelImage;
  /** The host's end of the kernel's console, at its beginning. */
  console(listeners: FramedConsoleListeners): FramedConsole;
}

/** A program's streams as frames over a console. */
export interface FramedConsole {
  /** 32 bits as wait4(2) gives them, once the program has ended. The guest may have said anything. */
  readonly waitStatus: number | undefined;
  /** True when the program has closed its standard input. */
  readonly inputClosed: boolean;
  push(bytes: Uint8Array): void;
  encodeInput(bytes: Uint8Array): readonly Uint8Array[];
  encodeEnd(): readonly Uint8Array[];
}

/** Where a {@link FramedConsole} delivers what it finds between the frames' headers. */
export interface FramedConsoleListeners {
  readonly stdout?: ((bytes: Uint8Array) => void) | undefined;
  readonly stderr?: ((bytes: Uint8Array) => void) | undefined;
  readonly log?: ((bytes: Uint8Array) => void) | undefined;
  readonly inputClosed?: (() => void) | undefined;
}
