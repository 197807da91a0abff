/** What a hostile guest may try, and that nothing comes of it. */
import { frameBytes } from "@ringside/machine";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EBUSY, EFAULT, EINVAL, ENOSYS, EPERM } from "./abi/errno.ts";
import { TYPE } from "./memory/frame-table.ts";
import { CALL, DOMID_SELF, HypercallBench, scratch } from "./testing/hypercall-bench.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { shutDown, testMachine, tinyKernel } from "./testing/tiny-kernel.ts";

const canaryBytes = 16 * frameBytes;
const present = 1n;
const writable = 2n;
const data = scratch + 0x1000n;
const xenTable = 0xffff_8000_0000_0000n;
const xenGdt = 0xffff_8200_0000_0000n;

let bench: HypercallBench;
let canaryAt: number;

beforeEach(() => {
  bench = new HypercallBench({ spareBytes: canaryBytes });
  const { physical } = bench.domain;
  canaryAt = physical.sizeBytes - canaryBytes;
  physical.fill(canaryAt, 0xa5, canaryBytes);
});

afterEach(() => {
  const broken = [...brokenInvariants(bench.domain)];
  const { physical } = bench.domain;
  if (physical.read(canaryAt, canaryBytes).some((byte) => byte !== 0xa5)) broken.push("the canary");
  if (broken.length > 0) throw new Error(broken.join("; "));
});

/** Entry for a frame. */
function entryOf(frame: number, flags: bigint): bigint {
  return BigInt(frame) * BigInt(frameBytes) + flags;
}

function remap(linear: bigint, entry: bigint, flags = 0): number {
  return bench.call(CALL.UPDATE_VA_MAPPING, linear, entry, flags);
}

/** Where `frame` is: behind the two zero words that end the table of traps, and `operation`. */
function findSlot(code: Uint8Array, vector: number): number {
  const view = new DataView(code.buffer);
  for (let at = 0; at + 48 < code.length; at += 1) {
    if (
      view.getUint32(at, true) === (0xe033_0000 | vector) >>> 0 &&
      view.getUint32(at + 4, true) === 0
    )
      return at + 16 + 16 + 8;
  }
  throw new Error("no table of traps");
}

describe("a guest that wants memory that is not its own", () => {
  test("cannot map frames of the host, nor of Xen, nor beyond all memory", () => {
    const cases = [
      [[0, 1, canaryAt / frameBytes], EINVAL],
      [[0xff_ffff, 0xff_ffff_ffff], EPERM],
    ] as const;
    for (const [frames, error] of cases) {
      for (const frame of frames) {
        expect(remap(data, entryOf(frame, present))).toBe(error);
        expect(remap(data, entryOf(frame, present | writable))).toBe(error);
      }
    }
  });

  test("cannot have Xen read or write in Xen's part of the address space", () => {
    for (const linear of [xenTable, xenGdt, 0xffff_87ff_ffff_f000n, 0x0000_8000_0000_0000n]) {
      expect(bench.call(CALL.XEN_VERSION, 1, linear)).toBe(EFAULT);
      expect(bench.call(CALL.MMU_UPDATE, linear, 1, 0, DOMID_SELF)).toBe(EFAULT);
      expect(bench.call(CALL.MULTICALL, linear, 1)).toBe(EFAULT);
      expect(bench.call(CALL.CONSOLE_IO, 0, 8, linear)).toBe(EFAULT);
    }
  });

  test("cannot have Xen write to what it maps read-only itself", () => {
    const table = bench.domain.vcpu.kernelRoot;
    expect(remap(data, entryOf(table, present), 2)).toBe(0);
    expect(bench.call(CALL.XEN_VERSION, 1, data)).toBe(EFAULT);
  });

  test("cannot reach Xen's mappings from ring 3", () => {
    for (const access of ["mov rax, [rbx]", "mov [rbx], rax"]) {
      const { machine } = testMachine({
        image: tinyKernel(`mov rbx, 0xffff820000000000\n ${access}\n ${shutDown}`),
      });
      expect(machine.run(100)).toEqual({
        reason: "crashed",
        why: "The guest has no handler for its exception 14.",
      });
    }
  });

  test("reads the table of machine frames, and cannot write it", () => {
    const read = testMachine({
      image: tinyKernel(`mov rbx, 0xffff800000000000\n mov rax, [rbx]\n mov ebx, 7\n ${shutDown}`),
    });
    expect(read.machine.run(100)).toEqual({ reason: "powered-off", value: 7 });
    const write = testMachine({
      image: tinyKernel(`mov rbx, 0xffff800000000000\n mov [rbx], rbx\n ${shutDown}`),
    });
    expect(write.machine.run(100).reason).toBe("crashed");
  });
});

describe("a guest that wants to write its page tables", () => {
  test("cannot map one writable, at any level", () => {
    const { domain } = bench;
    let table = domain.vcpu.kernelRoot;
    for (const index of [511, 510, 0]) {
      expect(remap(data, entryOf(table, present | writable))).toBe(EBUSY);
      table = domain.types.readLow(table * frameBytes + index * 8) >>> 12;
    }
    expect(remap(data, entryOf(table, present | writable))).toBe(EBUSY);
  });

  test("cannot make a table of a page that it still maps writable elsewhere", () => {
    const frame = bench.frameAt(data);
    expect(remap(data + 0x1000n, entryOf(frame, present | writable))).toBe(0);
    expect(remap(data, entryOf(frame, present))).toBe(0);
    expect(bench.mmuext(0, frame)).toBe(EINVAL);
  });

  test("cannot write through a translation from before the page was a table", () => {
    // Writes to a page, so that the TLB has it; makes it read-only without a flush; pins it; writes again.
    const { machine } = testMachine({
      image: tinyKernel(`
        mov eax, set_trap_table
        lea rdi, [rel traps]
        syscall
        mov [rel page], rax
        mov eax, update_va_mapping
        lea rdi, [rel page]
        mov rsi, [rel frame]
        shl rsi, 12
        or rsi, 1
        xor edx, edx
        syscall
        test rax, rax
        jnz failed
        mov eax, mmuext_op
        lea rdi, [rel operation]
        mov esi, 1
        xor edx, edx
        mov r10d, DOMID_SELF
        syscall
        test rax, rax
        jnz failed
        mov rax, 0x1003
        mov [rel page], rax
      failed:
        mov ebx, 1
        jmp over
      handler:
        mov ebx, 99
      over:
        lea rsp, [rel stack]
        ${shutDown}
      traps:
        db 14, 0
        dw 0xe033
        dd 0
        dq handler
        dq 0, 0
      operation: dq 0
      frame: dq 0, 0
        resb 512
      stack:
        align 4096
      page:
        resb 4096
      after:
      `),
    });
    const { domain } = machine;
    // The kernel learns its frame from here, which a real one looks up.
    const code = machine.inspect.readMemory(0xffff_ffff_8010_0000n, 0x3000) ?? new Uint8Array();
    expect(code.length).toBeGreaterThan(0);
    const place = findSlot(code, 14);
    const physical = (domain.memory.frames[0x100] ?? 0) * frameBytes + place;
    domain.physical.writeU64(physical, BigInt(domain.memory.frames[0x101] ?? 0));
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: 99 });
    expect(brokenInvariants(domain)).toEqual([]);
  });

  test("cannot pin tables that refer to themselves or in a circle", () => {
    const [first, second] = [bench.spare(0), bench.spare(1)];
    const { types } = bench.domain;
    types.writeRaw(first * frameBytes, Number(entryOf(first, present)), 0);
    for (const command of [1, 2, 3]) expect(bench.mmuext(command, first)).toBe(EINVAL);
    types.writeRaw(first * frameBytes, Number(entryOf(second, present)), 0);
    types.writeRaw(second * frameBytes, Number(entryOf(first, present)), 0);
    for (const command of [2, 3]) expect(bench.mmuext(command, first)).toBe(EINVAL);
    // At level 1, the way back would be a writable mapping of the table above.
    types.writeRaw(second * frameBytes, Number(entryOf(first, present | writable)), 0);
    expect(bench.mmuext(1, first)).toBe(EBUSY);
  });

  test("cannot load a root that is none", () => {
    const root = bench.domain.vcpu.kernelRoot;
    for (const frame of [0, 1, bench.frameAt(data), 0xffff_ffff]) {
      expect(bench.mmuext(5, frame)).toBe(EINVAL);
    }
    expect(bench.mmuext(15, bench.frameAt(data))).toBe(EINVAL);
    expect(bench.domain.vcpu.kernelRoot).toBe(root);
  });
});

describe("a guest that forges descriptors", () => {
  const code0 = 0x00af_9b00_0000_ffffn;
  const ldt = 0x0000_8200_0000_ffffn;
  const tss = 0x0000_8900_0000_ffffn;
  const interruptGate = 0x0000_8e00_0008_0000n;
  const callGate = 0x0000_ec00_e008_0000n;

  /** Makes a page of descriptors the GDT. */
  function install(descriptor: bigint): number {
    const frame = bench.frameAt(data);
    bench.poke(data, 0, descriptor);
    expect(remap(data, entryOf(frame, present), 2)).toBe(0);
    bench.poke(scratch, frame);
    return bench.call(CALL.SET_GDT, scratch, 2);
  }

  test("gets ring 3 where it asked for ring 0", () => {
    expect(install(code0)).toBe(0);
    expect((bench.peek(data + 8n) >> 45n) & 3n).toBe(3n);
  });

  test.each([
    ["an LDT", ldt],
    ["a task", tss],
    ["an interrupt gate", interruptGate],
    ["a call gate into Xen", callGate],
  ])("cannot have %s", (_name, descriptor) => {
    expect(install(descriptor)).toBe(EINVAL);
    const at = BigInt(bench.frameAt(data)) * BigInt(frameBytes);
    expect(bench.call(CALL.UPDATE_DESCRIPTOR, at, descriptor)).toBe(EINVAL);
  });

  test("cannot write to descriptors that are in use", () => {
    expect(install(0n)).toBe(0);
    const frame = bench.frameAt(data);
    expect(remap(data, entryOf(frame, present | writable))).toBe(EBUSY);
    expect(bench.update(BigInt(frame) * BigInt(frameBytes) + 8n, code0)).toBe(EBUSY);
    expect(bench.mmuext(0, frame)).toBe(EINVAL);
  });

  test("cannot have more of the GDT than Xen leaves it", () => {
    expect(bench.call(CALL.SET_GDT, scratch, 7169)).toBe(EINVAL);
  });

  test("cannot write descriptors into Xen's memory", () => {
    expect(bench.call(CALL.UPDATE_DESCRIPTOR, 0, code0)).toBe(EINVAL);
    expect(bench.call(CALL.UPDATE_DESCRIPTOR, 0xffff_ffff_ffffn, code0)).toBe(EINVAL);
  });

  test("does not write them by INS through Xen's mapping of the GDT", () => {
    // Ports read as all ones: as the upper byte of its selector, they would lead a call gate into Xen.
    const { machine } = testMachine({
      image: tinyKernel(`
        mov eax, set_trap_table
        lea rdi, [rel traps]
        syscall
        mov eax, update_va_mapping
        lea rdi, [rel page]
        mov rsi, [rel frame]
        shl rsi, 12
        or rsi, 1
        mov edx, 2
        syscall
        test rax, rax
        jnz failed
        mov eax, set_gdt
        lea rdi, [rel frame]
        mov esi, 2
        syscall
        test rax, rax
        jnz failed
        mov eax, 33
        mov edi, 6
        lea rsi, [rel level]
        syscall
        test rax, rax
        jnz failed
        lea rdi, [rel own]
        mov edx, 0x80
        insb
        mov rdi, 0xffff82000000000b
        insb
      failed:
        mov ebx, 1
        jmp over
      handler:
        mov bl, [rel own]
        and ebx, 0x7f
      over:
        lea rsp, [rel stack]
        ${shutDown}
      traps:
        db 13, 0
        dw 0xe033
        dd 0
        dq handler
        dq 0, 0
      operation: dq 0
      frame: dq 0, 0
      level: dd 1
      own: dd 0
        resb 512
      stack:
        align 4096
      page:
        dq 0
        dd 0x00080000
        dd 0x00008c00
        resb 4080
      after:
      `),
    });
    const { domain } = machine;
    const code = machine.inspect.readMemory(0xffff_ffff_8010_0000n, 0x1000) ?? new Uint8Array();
    const slot = (domain.memory.frames[0x100] ?? 0) * frameBytes + findSlot(code, 13);
    const gdt = domain.memory.frames[0x101] ?? 0;
    domain.physical.writeU64(slot, BigInt(gdt));
    // INS into the guest's own memory is done, and the one through Xen's mapping is #GP.
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: 0x7f });
    expect(domain.frames.type(gdt)).toBe(TYPE.DESCRIPTORS);
    expect(domain.physical.readU32(gdt * frameBytes + 8)).toBe(0x0008_0000);
    expect(brokenInvariants(domain)).toEqual([]);
  });

  test("does not get into ring 0 by IRET", () => {
    const { machine } = testMachine({
      image: tinyKernel(`
        mov eax, set_trap_table
        lea rdi, [rel traps]
        syscall
        push 0xe010
        push rsp
        push 0x3000
        push 0xe008
        lea rax, [rel target]
        push rax
        push 0
        push 0
        push 0
        push 0
        mov eax, iret_call
        syscall
      target:
        jmp target
      handler:
        mov rbx, [rsp + 16]
        lea rsp, [rel stack]
        ${shutDown}
      traps:
        db 13, 0
        dw 0xe033
        dd 0
        dq handler
        dq 0, 0
        resb 512
      stack:
      `),
    });
    // #GP with the selector, at level 3.
    expect(machine.run(1000)).toEqual({ reason: "powered-off", value: 0x08 });
  });
});

describe("a guest that breaks itself", () => {
  test("crashes alone when its kernel stack is in Xen's memory", () => {
    bench.call(CALL.STACK_SWITCH, 0xe02b, xenGdt + 0x1000n);
    const { state } = bench.machine.processor;
    state.rsp = xenGdt + 0x1000n;
    bench.poke(scratch, 0x0000_0000_e033_0006n, 0xffff_ffff_8010_0000n, 0, 0);
    expect(bench.call(CALL.SET_TRAP_TABLE, scratch)).toBe(0);
    state.rip = scratch + 0x100n;
    bench.poke(scratch + 0x100n, 0x0b0f);
    expect(bench.machine.run(10)).toEqual({
      reason: "crashed",
      why: "The guest's kernel stack cannot be written at 0xffff820000000fc8, for its exception 6.",
    });
  });

  test("crashes alone when it returns to a program without page tables for one", () => {
    bench.machine.processor.state.rsp = scratch;
    bench.poke(scratch, 0, 0, 0, 0, 0, 0x33, 0x202, 0, 0x2b);
    bench.call(CALL.IRET);
    expect(bench.machine.run(1).reason).toBe("crashed");
  });

  test("cannot hold a multicall inside a multicall", () => {
    bench.poke(scratch, CALL.MULTICALL, 77, scratch, 1, 0, 0, 0, 0);
    expect(bench.call(CALL.MULTICALL, scratch, 1)).toBe(0);
    expect(BigInt.asIntN(64, bench.peek(scratch + 8n))).toBe(BigInt(EINVAL));
  });

  test("cannot return from a multicall by IRET", () => {
    bench.poke(scratch, CALL.IRET, 0, 0, 0, 0, 0, 0, 0);
    expect(bench.call(CALL.MULTICALL, scratch, 1)).toBe(0);
    expect(BigInt.asIntN(64, bench.peek(scratch + 8n))).toBe(BigInt(ENOSYS));
  });

  test.each([
    ["VMCALL", "db 0x0f, 0x01, 0xc1"],
    ["VMLAUNCH", "db 0x0f, 0x01, 0xc2"],
    ["VMXOFF", "db 0x0f, 0x01, 0xc4"],
    ["HLT", "hlt"],
    ["INVLPG", "invlpg [rax]"],
    ["LGDT", "lgdt [rsp]"],
    ["LIDT", "lidt [rsp]"],
    ["LTR", "ltr ax"],
    ["a new CR4", "mov cr4, rax"],
    ["a new CR0", "mov cr0, rax"],
    ["a CR3 that is no table", "mov cr3, rax"],
    ["SWAPGS", "swapgs"],
    ["SYSRET", "db 0x48, 0x0f, 0x07"],
  ])("gets a fault for %s", (_name, instruction) => {
    const { machine } = testMachine({
      image: tinyKernel(`mov rax, 0x123456789000\n ${instruction}\n ${shutDown}`),
    });
    expect(machine.run(100).reason).toBe("crashed");
    expect(brokenInvariants(machine.domain)).toEqual([]);
  });

  test("writes model-specific registers that are Xen's to no effect", () => {
    const { machine } = testMachine({
      image: tinyKernel(
        `mov rax, 0x123456789000\n mov ecx, 0xc0000082\n wrmsr\n mov ebx, 5\n ${shutDown}`,
      ),
    });
    expect(machine.run(100)).toEqual({ reason: "powered-off", value: 5 });
  });
});
