/**
 * Guest-physical memory: which host frame is behind which guest frame, and access to the bytes.
 *
 * A guest frame gets its host frame when it is first touched, and deliberately none that could be guessed: the
 * order in which frames are handed out is scrambled, so that code which takes one kind of address for the other
 * fails at once.
 */
import type { HostMemory } from "@ringside/isa";
import { frameBytes, type BootTarget, type FrameAllotter } from "@ringside/machine";
import type { MonitorWork } from "./monitor-work.ts";

export interface GuestMemoryOptions {
  readonly memory: HostMemory;
  /** Where host frames come from; all that the guest may need are taken at once. */
  readonly frames: FrameAllotter;
  /** Guest-physical memory lies from 0 up to this; a multiple of 4096. */
  readonly sizeBytes: number;
  readonly work: MonitorWork;
}

/** Marks a guest frame without a host frame. */
const none = 0xffff_ffff;

export class GuestMemory {
  readonly sizeBytes: number;
  /** Told of each {@link write}. */
  onWritten: ((gpa: number, lengthBytes: number) => void) | undefined;
  readonly #memory: HostMemory;
  readonly #work: MonitorWork;
  /** Host frame number by guest frame number. */
  readonly #map: Uint32Array;
  readonly #pool: number;
  readonly #stride: number;
  #handedOut = 0;

  /** @throws {RangeError} when `frames` has not enough left in one piece. */
  constructor(options: GuestMemoryOptions) {
    const { memory, frames, sizeBytes, work } = options;
    this.sizeBytes = sizeBytes;
    this.#memory = memory;
    this.#work = work;
    const count = sizeBytes / frameBytes;
    const pool = frames.allotRun(count);
    if (pool === undefined) {
      throw new RangeError(`There are no ${count} frames for a guest of ${sizeBytes} bytes.`);
    }
    this.#pool = pool / frameBytes;
    this.#map = new Uint32Array(count).fill(none);
    this.#stride = strideFor(count);
  }

  /** True when RAM of the guest is at this address. */
  isRam(gpa: number): boolean {
    return gpa >= 0 && gpa < this.sizeBytes;
  }

  /** Guest frames that have a host frame. */
  get residentFrames(): number {
    return this.#handedOut;
  }

  /** Host-physical address of the frame that holds a RAM address; a cleared one when nothing was there yet. */
  hostFrame(gpa: number): number {
    const guestFrame = this.#guestFrame(gpa);
    let frame = this.#map[guestFrame] ?? none;
    if (frame === none) {
      frame = this.#pool + ((this.#handedOut * this.#stride) % this.#map.length);
      this.#handedOut += 1;
      this.#map[guestFrame] = frame;
      this.#memory.physical.fill(frame * frameBytes, 0, frameBytes);
      this.#work.add("pagesCleared");
    }
    return frame * frameBytes;
  }

  /** As {@link hostFrame}, but undefined when nothing was there yet. */
  residentFrame(gpa: number): number | undefined {
    const frame = this.#map[this.#guestFrame(gpa)] ?? none;
    return frame === none ? undefined : frame * frameBytes;
  }

  /** Fills `bytes`, for a handler. The range must be RAM. */
  read(gpa: number, bytes: Uint8Array): void {
    this.#work.add("guestWords", Math.ceil(bytes.length / 8));
    this.#eachPart(gpa, bytes.length, (host, from, lengthBytes) => {
      bytes.set(this.#memory.physical.read(host, lengthBytes), from);
    });
  }

  /** Writes `bytes`, for a handler. The range must be RAM. */
  write(gpa: number, bytes: Uint8Array): void {
    this.#work.add("guestWords", Math.ceil(bytes.length / 8));
    this.#write(gpa, bytes);
    this.onWritten?.(gpa, bytes.length);
  }

  /** A copy, for people who look at the guest: no work is counted, and no frame is handed out. */
  peek(gpa: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    for (let done = 0; done < lengthBytes;) {
      const at = gpa + done;
      const part = Math.min(lengthBytes - done, frameBytes - (at % frameBytes));
      const host = this.residentFrame(at);
      if (host !== undefined) {
        bytes.set(this.#memory.physical.read(host + (at % frameBytes), part), done);
      }
      done += part;
    }
    return bytes;
  }

  /** For boot loaders, whose work is not the hypervisor's. */
  get bootTarget(): BootTarget {
    return {
      write: (gpa, bytes) => this.#write(gpa, bytes),
      fill: (gpa, value, lengthBytes) => {
        this.#eachPart(gpa, lengthBytes, (host, _, part) => {
          this.#memory.physical.fill(host, value, part);
        });
      },
    };
  }

  /** Takes every frame back; the guest's memory is zeros again. */
  clear(): void {
    this.#map.fill(none);
    this.#handedOut = 0;
  }

  #write(gpa: number, bytes: Uint8Array): void {
    this.#eachPart(gpa, bytes.length, (host, from, lengthBytes) => {
      this.#memory.physical.write(host, bytes.subarray(from, from + lengthBytes));
    });
  }

  /** Splits a range at frames: host address, offset from the start of the range, length. */
  #eachPart(
    gpa: number,
    lengthBytes: number,
    visit: (host: number, from: number, lengthBytes: number) => void,
  ): void {
    for (let done = 0; done < lengthBytes;) {
      const at = gpa + done;
      const part = Math.min(lengthBytes - done, frameBytes - (at % frameBytes));
      visit(this.hostFrame(at) + (at % frameBytes), done, part);
      done += part;
    }
  }

  #guestFrame(gpa: number): number {
    if (!Number.isSafeInteger(gpa) || !this.isRam(gpa)) {
      throw new RangeError(
        `There is no RAM at guest-physical 0x${gpa.toString(16)}; the guest has ${this.sizeBytes} bytes.`,
      );
    }
    return Math.floor(gpa / frameBytes);
  }
}

/** A step that visits each of `count` places once and leaps far: coprime to it, near its golden section. */
function strideFor(count: number): number {
  const coprime = (a: number, b: number): boolean => (b === 0 ? a === 1 : coprime(b, a % b));
  for (let stride = Math.floor(count * 0.618); stride > 1; stride -= 1) {
    if (coprime(count, stride)) return stride;
  }
  return 1;
}
