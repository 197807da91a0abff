/**
 * A guest that asks for anything: random hypercalls with random arguments, half of them almost right, and stores to
 * random addresses between them. After each round everything that must hold is counted anew.
 */
import { slots } from "@ringside/isa";
import { frameBytes } from "@ringside/machine";
import { hypercallNames } from "../abi/hypercall-names.ts";
import type { Domain } from "../domain.ts";
import type { ParavirtMachine } from "../paravirt-machine.ts";
import { brokenInvariants } from "./invariants.ts";
import { entry, testMachine, tinyKernel, virtBase } from "./tiny-kernel.ts";

const canaryBytes = 64 * frameBytes;
const canary = 0xa5;
const memoryBytes = 8 * 1024 * 1024;
/** Where the guest's structures lie: 16 pages in the segment behind the code. */
const scratch: bigint = entry + 0x2_0000n;
const scratchPages = 16;

/** Stores where RBX says, then does the hypercall in the registers, again and again; a fault skips the store. */
const guest: string = `
    mov eax, set_trap_table
    lea rdi, [rel traps]
    syscall
    mov eax, vm_assist
    xor edi, edi
    mov esi, 2
    syscall
  again:
    mov [rbx], rbp
  after:
    syscall
    jmp again
  handler:
    lea rsp, [rel stack]
    jmp after
  traps:
${[0, 1, 3, 5, 6, 7, 11, 12, 13, 14, 17].map((vector) => `    db ${vector}, 0\n    dw 0xe033\n    dd 0\n    dq handler`).join("\n")}
    dq 0, 0
    resb 2048
  stack:
`;

export interface FuzzReport {
  readonly hypercalls: number;
  readonly resets: number;
  /** Results that were not errors. */
  readonly successes: number;
}

/** A generator of numbers that repeats: Marsaglia's xorshift with 32 bits. */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  below(limit: number): number {
    return this.next() % limit;
  }

  pick<T>(choices: readonly T[], fallback: T): T {
    return choices[this.below(choices.length)] ?? fallback;
  }
}

export class HypercallFuzzer {
  readonly #random: Random;
  readonly #seed: number;
  readonly #machine: ParavirtMachine;
  readonly #domain: Domain;
  readonly #canaryAt: number;
  /** Frames that the guest knows something about: interesting to ask for. */
  #frames: number[] = [];
  /** Where structures were written last. */
  #place: bigint = scratch;
  #hypercalls = 0;
  #resets = 0;
  #successes = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    const { machine } = testMachine({
      image: tinyKernel(guest),
      memoryBytes,
      spareBytes: canaryBytes,
    });
    this.#machine = machine;
    this.#domain = machine.domain;
    const { physical } = this.#domain;
    this.#canaryAt = physical.sizeBytes - canaryBytes;
    physical.fill(this.#canaryAt, canary, canaryBytes);
    this.#start();
  }

  /**
   * @param rounds How many times everything is checked, after some hypercalls each.
   * @throws {Error} What is wrong, with the seed.
   */
  run(rounds: number, hypercallsPerRound = 20): FuzzReport {
    for (let round = 0; round < rounds; round += 1) {
      for (let index = 0; index < hypercallsPerRound && !this.#isOver; index += 1) this.#step();
      this.#check(round);
      if (this.#isOver) this.#reset();
    }
    return { hypercalls: this.#hypercalls, resets: this.#resets, successes: this.#successes };
  }

  get #isOver(): boolean {
    return this.#domain.vcpu.crashed !== undefined || this.#domain.state.isShutDown;
  }

  #reset(): void {
    this.#machine.reset();
    this.#resets += 1;
    this.#start();
  }

  /** Up to the first store. */
  #start(): void {
    this.#machine.run(8);
    const { memory, vcpu } = this.#domain;
    this.#frames = [vcpu.kernelRoot];
    const { types } = this.#domain;
    // The first tables, and some spare frames.
    for (let table = 0; table < this.#frames.length && table < 6; table += 1) {
      for (let index = 0; index < 512; index += 1) {
        const low = types.readLow((this.#frames[table] ?? 0) * frameBytes + index * 8);
        if ((low & 1) !== 0 && this.#frames.length < 24) this.#frames.push(low >>> 12);
      }
    }
    for (let index = 0; index < 12; index += 1) {
      this.#frames.push(memory.frames[memory.frames.length - 1 - index] ?? 0);
    }
  }

  #step(): void {
    const { processor, domain } = this.#machine;
    const { state } = processor;
    if (domain.state.sleep !== undefined) domain.state.sleep = undefined;
    this.#writeScratch();
    state.rax = BigInt(this.#number());
    state.rbx = this.#address();
    state.rbp = this.#entry();
    for (const register of [7, 6, 2, 10, 8, 9]) state.setRegister(register, this.#argument());
    // A pointer to what was just written and a small count make most sense of all.
    if (this.#random.below(4) > 0) {
      const place = this.#place;
      if (this.#random.below(3) > 0) state.rdi = place;
      else state.rdi = BigInt(this.#random.below(18));
      if (this.#random.below(3) > 0) state.rsi = BigInt(1 + this.#random.below(4));
      else state.rsi = place;
      if (this.#random.below(4) > 0) state.setRegister(10, 0x7ff0n);
      if (this.#random.below(3) > 0) state.rdx = 0n;
    }
    this.#hypercalls += 1;
    this.#machine.run(4);
    const crashed = this.#domain.vcpu.crashed !== undefined;
    const result = Number(BigInt.asIntN(32, state.rax));
    if (result >= 0 && !crashed) this.#successes += 1;
  }

  #number(): number {
    const often = [1, 1, 1, 1, 14, 14, 26, 26, 26, 13, 12, 2, 10, 3, 24, 29, 30, 32, 25];
    return this.#random.below(4) === 0
      ? this.#random.below(hypercallNames.length + 4)
      : this.#random.pick(often, 1);
  }

  /** Fills a part of the structures with numbers that may be frames, entries, addresses or small. */
  #writeScratch(): void {
    const { access } = this.#domain;
    const bytes = new Uint8Array(8 * 24);
    const view = new DataView(bytes.buffer);
    const kind = this.#random.below(3);
    for (let word = 0; word < 24; word += 1) {
      let value = this.#argument();
      // As an mmuext_op: a command, a frame, something.
      if (kind === 0) {
        if (word % 3 === 0) value = BigInt(this.#random.below(18));
        if (word % 3 === 1) value = BigInt(this.#frame());
      } else if (kind === 1 && word % 2 === 1) value = this.#entry();
      else if (kind === 1) {
        // As an mmu_update: the place of an entry, and the entry.
        const at = this.#frame() * frameBytes + this.#index() * 8;
        value = BigInt(at + this.#random.below(3));
      }
      view.setBigUint64(word * 8, BigInt.asUintN(64, value), true);
    }
    this.#place = this.#scratchAddress();
    access.write(halves(this.#place), bytes);
  }

  #argument(): bigint {
    switch (this.#random.below(7)) {
      case 0:
        return BigInt(this.#random.below(20));
      case 1:
        return this.#scratchAddress();
      case 2:
        return this.#address();
      case 3:
        return this.#entry();
      case 4:
        return BigInt(this.#frame());
      case 5:
        return BigInt(this.#frame() * frameBytes + this.#random.below(512) * 8);
      default:
        return (BigInt(this.#random.next()) << 32n) | BigInt(this.#random.next());
    }
  }

  #scratchAddress(): bigint {
    const offset = this.#random.below(scratchPages * 512) * 8;
    return scratch + BigInt(this.#random.below(8) === 0 ? offset : (offset >> 6) << 6);
  }

  /** An address: of the kernel's memory, its tables, Xen's, nobody's. */
  #address(): bigint {
    const offset = BigInt(this.#random.below(memoryBytes));
    switch (this.#random.below(6)) {
      case 0:
        return 0xffff_8000_0000_0000n + offset;
      case 1:
        return 0xffff_8200_0000_0000n + (offset & 0x1_ffffn);
      case 2:
        return 0x0000_8000_0000_0000n + offset;
      case 3:
        return scratch + (offset & 0xffffn);
      default:
        return virtBase + offset;
    }
  }

  /** Where in a table: often where something is, or something of Xen's. */
  #index(): number {
    const around = this.#random.pick([0, 0, 252, 256, 504], 0);
    return this.#random.below(3) === 0 ? this.#random.below(512) : around + this.#random.below(8);
  }

  #frame(): number {
    switch (this.#random.below(10)) {
      case 0:
        return this.#random.below(this.#domain.frames.count);
      case 1:
        return this.#random.next();
      default:
        return this.#random.pick(this.#frames, 1);
    }
  }

  /** A page-table entry, mostly with bits that may be. */
  #entry(): bigint {
    const flags =
      this.#random.below(6) === 0 ? this.#random.below(4096) : this.#random.below(8) | 1;
    const high = this.#random.below(4) === 0 ? BigInt(this.#random.next()) << 32n : 0n;
    return BigInt(this.#frame() * frameBytes) + BigInt(flags) + high;
  }

  #check(round: number): void {
    const broken = [...brokenInvariants(this.#domain)];
    const { physical, processor } = this.#domain;
    for (let at = this.#canaryAt; at < this.#canaryAt + canaryBytes; at += 8) {
      if (physical.readU64(at) !== 0xa5a5_a5a5_a5a5_a5a5n)
        broken.push(`the host's memory has changed at 0x${at.toString(16)}`);
    }
    if (processor.state.cpl !== 3) broken.push(`the guest runs at level ${processor.state.cpl}`);
    if (processor.state.get(slots.cr3) % BigInt(frameBytes) !== 0n) broken.push("CR3 is no frame");
    if (broken.length > 0) {
      throw new Error(`Seed ${this.#seed}, round ${round}: ${broken.slice(0, 5).join("; ")}`);
    }
  }
}

function halves(linear: bigint): { readonly low: number; readonly high: number } {
  return { low: Number(linear & 0xffff_ffffn), high: Number(linear >> 32n) };
}
