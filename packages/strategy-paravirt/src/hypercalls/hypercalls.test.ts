import { frameBytes } from "@ringside/machine";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EEXIST, EFAULT, EINVAL, ENOENT, ENOSYS, EPERM, ESRCH, ETIME } from "../abi/errno.ts";
import { CALL, DOMID_SELF, HypercallBench, scratch } from "../testing/hypercall-bench.ts";
import { brokenInvariants } from "../testing/invariants.ts";

const list = scratch;
const done = scratch + 0x800n;
const page = scratch + 0x1000n;

let bench: HypercallBench;
beforeEach(() => {
  bench = new HypercallBench();
});

function machineAddress(frame: number): bigint {
  return BigInt(frame) * BigInt(frameBytes);
}

// Xen, xen/include/public/xen.h, "MMU-UPDATE REQUESTS".
describe("mmu_update", () => {
  test("does a list, and says how many it did", () => {
    const at = machineAddress(bench.spare(0));
    bench.poke(list, at, 1, at + 8n, 2, at + 16n, 3);
    expect(bench.call(CALL.MMU_UPDATE, list, 3, done, DOMID_SELF)).toBe(0);
    expect(bench.peek(done) & 0xffff_ffffn).toBe(3n);
    expect(bench.domain.physical.readU64(Number(at) + 16)).toBe(3n);
  });

  test("stops at the first that is refused", () => {
    const at = machineAddress(bench.spare(0));
    bench.poke(list, at, 1, 0, 2, at + 16n, 3);
    expect(bench.call(CALL.MMU_UPDATE, list, 3, done, DOMID_SELF)).toBe(EINVAL);
    expect(bench.peek(done) & 0xffff_ffffn).toBe(1n);
    expect(bench.domain.physical.readU64(Number(at) + 16)).toBe(0n);
  });

  test("changes the table from machine frames to the guest's", () => {
    const frame = bench.spare(0);
    expect(bench.update(machineAddress(frame) | 1n, 0x1234)).toBe(0);
    expect(bench.domain.memory.physicalOf(frame)).toBe(0x1234);
    expect(bench.update(1n, 0)).toBe(EINVAL);
  });

  test("does a long list in parts, as one", () => {
    const at = machineAddress(bench.spare(0));
    // 1536 requests in six pages, more than are done in one go.
    for (let index = 0; index < 1536; index += 1) {
      bench.poke(page + BigInt(index * 16), at + BigInt((index % 512) * 8), index);
    }
    expect(bench.call(CALL.MMU_UPDATE, page, 1536, done, DOMID_SELF)).toBe(0);
    expect(bench.peek(done) & 0xffff_ffffn).toBe(1536n);
    expect(bench.domain.physical.readU64(Number(at) + 8 * 511)).toBe(1535n);
    expect(bench.machine.counts()["hypercalls"]).toEqual({ mmu_update: 2 });
  });

  test("is for the domain itself", () => {
    expect(bench.call(CALL.MMU_UPDATE, list, 1, 0, 3)).toBe(ESRCH);
  });

  test("gives -EFAULT for a list that cannot be read", () => {
    expect(bench.call(CALL.MMU_UPDATE, 0x1000, 1, 0, DOMID_SELF)).toBe(EFAULT);
  });
});

describe("multicall", () => {
  test("gives each call its own result", () => {
    bench.poke(list, CALL.XEN_VERSION, 0, 0, 0, 0, 0, 0, 0);
    bench.poke(list + 64n, 39, 0, 0, 0, 0, 0, 0, 0);
    expect(bench.call(CALL.MULTICALL, list, 2)).toBe(0);
    expect(bench.peek(list + 8n)).toBe(0x4_0011n);
    expect(BigInt.asIntN(64, bench.peek(list + 72n))).toBe(BigInt(ENOSYS));
    const { hypercalls, multicallEntries } = bench.machine.counts();
    expect(hypercalls).toEqual({ multicall: 1 });
    expect(multicallEntries).toEqual({ xen_version: 1, argo_op: 1 });
  });

  test("goes on with an entry that is done in parts", () => {
    const at = machineAddress(bench.spare(0));
    for (let index = 0; index < 1100; index += 1) {
      bench.poke(page + BigInt(index * 16), at + BigInt((index % 512) * 8), index);
    }
    bench.poke(list, CALL.MMU_UPDATE, 99, page, 1100, 0, DOMID_SELF, 0, 0);
    bench.poke(list + 64n, CALL.XEN_VERSION, 0, 0, 0, 0, 0, 0, 0);
    expect(bench.call(CALL.MULTICALL, list, 2)).toBe(0);
    expect(bench.peek(list + 8n)).toBe(0n);
    expect(bench.peek(list + 72n)).toBe(0x4_0011n);
    expect(bench.domain.physical.readU64(Number(at) + 8 * (1099 % 512))).toBe(1099n);
  });
});

describe("update_va_mapping", () => {
  test("changes the entry behind an address, and drops its translation where asked", () => {
    const frame = bench.spare(0);
    bench.domain.physical.writeU64(frame * frameBytes, 0x77n);
    expect(bench.call(CALL.UPDATE_VA_MAPPING, page, machineAddress(frame) | 3n, 2)).toBe(0);
    expect(bench.peek(page)).toBe(0x77n);
    expect(brokenInvariants(bench.domain)).toEqual([]);
  });

  test("needs a table for the address", () => {
    expect(bench.call(CALL.UPDATE_VA_MAPPING, 0x1000, 0, 0)).toBe(EINVAL);
    expect(bench.call(CALL.UPDATE_VA_MAPPING, 0xffff_8000_0000_0000n, 0, 0)).toBe(EINVAL);
  });
});

describe("mmuext_op", () => {
  test("loads another root, and lets the old one go", () => {
    const { domain } = bench;
    const old = domain.vcpu.kernelRoot;
    const copy = bench.spare(0);
    domain.physical.copy(old * frameBytes, copy * frameBytes, frameBytes);
    expect(bench.mmuext(5, copy)).toBe(0);
    expect(domain.vcpu.kernelRoot).toBe(copy);
    expect(bench.mmuext(4, old)).toBe(0);
    expect(domain.frames.typeCount(old)).toBe(0);
    expect(brokenInvariants(domain)).toEqual([]);
  });

  test("names a root for programs, and none", () => {
    const root = bench.spare(0);
    expect(bench.mmuext(15, root)).toBe(0);
    expect(bench.domain.vcpu.userRoot).toBe(root);
    expect(bench.mmuext(15, 0)).toBe(0);
    expect(bench.domain.frames.typeCount(root)).toBe(0);
  });

  test("clears and copies pages, but no tables", () => {
    const { domain } = bench;
    const [from, to] = [bench.spare(0), bench.spare(1)];
    domain.physical.writeU64(from * frameBytes, 5n);
    bench.poke(scratch, 17, to, from);
    expect(bench.call(CALL.MMUEXT_OP, scratch, 1, 0, DOMID_SELF)).toBe(0);
    expect(domain.physical.readU64(to * frameBytes)).toBe(5n);
    expect(bench.mmuext(16, to)).toBe(0);
    expect(domain.physical.readU64(to * frameBytes)).toBe(0n);
    expect(bench.mmuext(16, domain.vcpu.kernelRoot)).not.toBe(0);
  });
});

describe("a list of much work", () => {
  const tables = 200;
  const PIN_L2 = 1;
  const UNPIN = 4;
  /** Table of level 2 over full tables of level 1: more work than is done in one go. */
  function tree(first: number): number {
    const { types } = bench.domain;
    const entry = bench.frameAt(page) * frameBytes + 1;
    const top = bench.spare(first);
    for (let table = 0; table < tables; table += 1) {
      const frame = bench.spare(first + 1 + table);
      for (let index = 0; index < 512; index += 1)
        types.writeRaw(frame * frameBytes + index * 8, entry, 0);
      types.writeRaw(top * frameBytes + table * 8, frame * frameBytes + 1, 0);
    }
    return top;
  }

  afterEach(() => {
    const broken = brokenInvariants(bench.domain);
    if (broken.length > 0) throw new Error(broken.join("; "));
  });

  test("is done request by request", () => {
    const top = tree(0);
    bench.poke(list, ...[0, 1, 2].flatMap(() => [PIN_L2, top, 0, UNPIN, top, 0]));
    expect(bench.call(CALL.MMUEXT_OP, list, 6, done, DOMID_SELF)).toBe(0);
    expect(bench.peek(done) & 0xffff_ffffn).toBe(6n);
    expect(bench.machine.counts()["hypercalls"]).toEqual({ mmuext_op: 6 });
  });

  test("is done request by request where its end cannot be read", () => {
    const top = tree(0);
    const end = page + 0x2000n;
    expect(bench.call(CALL.UPDATE_VA_MAPPING, end, 0, 2)).toBe(0);
    bench.poke(end - 72n, PIN_L2, top, 0, UNPIN, top, 0, PIN_L2, top, 0);
    expect(bench.call(CALL.MMUEXT_OP, end - 72n, 4, done, DOMID_SELF)).toBe(EFAULT);
    expect(bench.peek(done) & 0xffff_ffffn).toBe(3n);
    expect(bench.machine.counts()["hypercalls"]).toMatchObject({ mmuext_op: 4 });
  });

  test("is done request by request inside a multicall, too", () => {
    const top = tree(0);
    const operations = page;
    bench.poke(operations, PIN_L2, top, 0, UNPIN, top, 0);
    const call = [CALL.MMUEXT_OP, 77, operations, 2, 0, DOMID_SELF, 0, 0];
    bench.poke(list, ...call, ...call, ...call);
    expect(bench.call(CALL.MULTICALL, list, 3)).toBe(0);
    for (const index of [0n, 1n, 2n]) expect(bench.peek(list + index * 64n + 8n)).toBe(0n);
    expect(bench.machine.counts()["hypercalls"]).toEqual({ multicall: 6 });
  });

  test("is cut where the calls of a multicall fail", () => {
    // The last entry of the tree is refused, after all others were held.
    const top = tree(0);
    bench.domain.types.writeRaw(top * frameBytes + 511 * 8, 1, 0);
    bench.poke(page, PIN_L2, top, 0);
    const call = [CALL.MMUEXT_OP, 77, page, 1, 0, DOMID_SELF, 0, 0];
    bench.poke(list, ...call, ...call, ...call);
    expect(bench.call(CALL.MULTICALL, list, 3)).toBe(0);
    for (const index of [0n, 1n, 2n])
      expect(BigInt.asIntN(64, bench.peek(list + index * 64n + 8n))).toBe(BigInt(EINVAL));
    expect(bench.machine.counts()["hypercalls"]).toEqual({ multicall: 3 });
  });

  test("is cut where frames are given back", () => {
    const tops = [tree(0), tree(tables + 1)];
    for (const top of tops) expect(bench.mmuext(PIN_L2, top)).toBe(0);
    bench.poke(page, ...tops);
    bench.poke(list, page, 2, 0, DOMID_SELF);
    expect(bench.call(CALL.MEMORY_OP, 1, list)).toBe(2);
    expect(bench.machine.counts()["hypercalls"]).toMatchObject({ memory_op: 2 });
  });

  test("is cut for requests that are many, and little work each", () => {
    const TLB_FLUSH = 6;
    const requests = 128;
    bench.poke(page, ...Array.from({ length: requests }, () => [TLB_FLUSH, 0, 0]).flat());
    const call = [CALL.MMUEXT_OP, 77, page, requests, 0, DOMID_SELF, 0, 0];
    bench.poke(list, ...Array.from({ length: 31 }, () => call).flat());
    expect(bench.call(CALL.MULTICALL, list, 31)).toBe(0);
    const { multicall } = bench.machine.counts()["hypercalls"] as Record<string, number>;
    expect(multicall).toBeGreaterThan(1);
  });
});

describe("memory_op", () => {
  test("takes frames back and gives them out again, cleared", () => {
    const { domain } = bench;
    const frame = bench.spare(0);
    domain.physical.writeU64(frame * frameBytes, 9n);
    bench.poke(page, frame);
    bench.poke(list, page, 1, 0, DOMID_SELF);
    expect(bench.call(CALL.MEMORY_OP, 1, list)).toBe(1);
    expect(domain.frames.isOwned(frame)).toBe(false);
    expect(domain.memory.physicalOf(frame)).toBeUndefined();
    bench.poke(page, 0x500);
    expect(bench.call(CALL.MEMORY_OP, 6, list)).toBe(1);
    expect(bench.peek(page)).toBe(BigInt(frame));
    expect(domain.physical.readU64(frame * frameBytes)).toBe(0n);
    expect(domain.memory.physicalOf(frame)).toBe(0x500);
    expect(brokenInvariants(domain)).toEqual([]);
  });

  test("keeps a frame that is still mapped until it is not", () => {
    const { domain } = bench;
    const frame = bench.frameAt(page);
    bench.poke(page + 0x1000n, frame);
    bench.poke(list, page + 0x1000n, 1, 0, DOMID_SELF);
    expect(bench.call(CALL.MEMORY_OP, 1, list)).toBe(1);
    expect(domain.frames.isOwned(frame)).toBe(true);
    expect(bench.call(CALL.UPDATE_VA_MAPPING, page, 0, 2)).toBe(0);
    expect(domain.frames.isOwned(frame)).toBe(false);
    expect(brokenInvariants(domain)).toEqual([]);
  });

  test("says how much there is", () => {
    bench.poke(page, DOMID_SELF);
    expect(bench.call(CALL.MEMORY_OP, 3, page)).toBe(4096);
    expect(bench.call(CALL.MEMORY_OP, 9, page)).toBe(ENOSYS);
  });
});

describe("vcpu_op and sched_op", () => {
  test("know one processor", () => {
    expect(bench.call(CALL.VCPU_OP, 3, 0)).toBe(1);
    expect(bench.call(CALL.VCPU_OP, 3, 1)).toBe(ENOENT);
    expect(bench.call(CALL.VCPU_OP, 0, 0)).toBe(EEXIST);
  });

  test("refuse a timer in the past only where asked", () => {
    bench.poke(page, 1, 1);
    expect(bench.call(CALL.VCPU_OP, 8, 0, page)).toBe(ETIME);
    bench.poke(page, 1, 0);
    expect(bench.call(CALL.VCPU_OP, 8, 0, page)).toBe(0);
  });

  test("move vcpu_info once, to a frame that stays writable", () => {
    const frame = bench.spare(0);
    bench.poke(page, frame, 64);
    expect(bench.call(CALL.VCPU_OP, 10, 0, page)).toBe(0);
    expect(bench.domain.vcpu.info).toBe(frame * frameBytes + 64);
    expect(bench.mmuext(0, frame)).toBe(EINVAL);
    bench.poke(page, bench.spare(1), 64);
    expect(bench.call(CALL.VCPU_OP, 10, 0, page)).toBe(EINVAL);
    expect(brokenInvariants(bench.domain)).toEqual([]);
  });

  test("block until the timer's event", () => {
    bench.poke(page, 0, 0);
    expect(bench.call(CALL.EVENT_CHANNEL_OP, 1, page)).toBe(0);
    const port = Number(bench.peek(page + 8n) & 0xffff_ffffn);
    bench.poke(page, 0, scratch + 0x200n);
    expect(bench.call(CALL.CALLBACK_OP, 0, page)).toBe(0);
    bench.poke(page, 5_000_000, 0);
    expect(bench.call(CALL.VCPU_OP, 8, 0, page)).toBe(0);
    bench.call(CALL.SCHED_OP, 1);
    bench.machine.run(3);
    expect(bench.machine.now).toBeGreaterThanOrEqual(5_000_000);
    expect(bench.domain.channels.isPending(port)).toBe(true);
    expect(bench.machine.processor.state.rip).toBe(scratch + 0x200n);
  });

  test("take a timer that is set for never as none", () => {
    bench.poke(page, 1n << 62n, 0);
    expect(bench.call(CALL.VCPU_OP, 8, 0, page)).toBe(0);
    bench.call(CALL.SCHED_OP, 1);
    expect(bench.machine.run(10)).toEqual({ reason: "waiting" });
    expect(bench.machine.now).toBeLessThan(1000);
  });

  test("end with what the guest says", () => {
    bench.poke(page, 3);
    bench.call(CALL.SCHED_OP, 2, page);
    expect(bench.machine.run(1)).toEqual({
      reason: "crashed",
      why: "The guest's kernel says that it has crashed.",
    });
  });

  test("have halted for good when nothing can wake the guest", () => {
    bench.call(CALL.SCHED_OP, 1);
    bench.machine.endInput();
    expect(bench.machine.run(10)).toEqual({ reason: "halted" });
  });

  test("wait for input while the console's event is open", () => {
    bench.call(CALL.SCHED_OP, 1);
    expect(bench.machine.run(10)).toEqual({ reason: "waiting" });
  });
});

describe("registers by hypercall", () => {
  test("set_segment_base refuses what is no address", () => {
    expect(bench.call(CALL.SET_SEGMENT_BASE, 0, 0x1234_5000)).toBe(0);
    expect(bench.machine.processor.state.fsBase).toBe(0x1234_5000n);
    expect(bench.call(CALL.SET_SEGMENT_BASE, 0, 1n << 60n)).toBe(EINVAL);
  });

  test("fpu_taskswitch sets and clears TS", () => {
    expect(bench.call(CALL.FPU_TASKSWITCH, 1)).toBe(0);
    expect(bench.machine.processor.state.cr0 & 8n).toBe(8n);
    expect(bench.call(CALL.FPU_TASKSWITCH, 0)).toBe(0);
    expect(bench.machine.processor.state.cr0 & 8n).toBe(0n);
  });

  test("debug registers take no addresses of Xen's", () => {
    expect(bench.call(CALL.SET_DEBUGREG, 0, 0x1000)).toBe(0);
    expect(bench.call(CALL.GET_DEBUGREG, 0)).toBe(0x1000);
    expect(bench.call(CALL.SET_DEBUGREG, 0, 0xffff_8200_0000_0000n)).toBe(EPERM);
    expect(bench.call(CALL.SET_DEBUGREG, 7, 0x2000)).toBe(EPERM);
    expect(bench.call(CALL.SET_DEBUGREG, 9, 0)).toBe(EINVAL);
  });
});

describe("xen_version", () => {
  test("has the features that Linux needs", () => {
    bench.poke(page, 0);
    expect(bench.call(CALL.XEN_VERSION, 6, page)).toBe(0);
    expect(bench.peek(page) >> 32n).toBe(0x2_20e0n);
  });

  test("says where the table from machine frames is", () => {
    expect(bench.call(CALL.XEN_VERSION, 5, page)).toBe(0);
    expect(bench.peek(page)).toBe(0xffff_8000_0000_0000n);
  });
});

describe("event channels", () => {
  const bind = (virtualInterrupt: number): number => {
    bench.poke(page, virtualInterrupt, 0);
    const result = bench.call(CALL.EVENT_CHANNEL_OP, 1, page);
    return result < 0 ? result : Number(bench.peek(page + 8n) & 0xffff_ffffn);
  };

  test("bind a virtual interrupt once", () => {
    expect(bind(0)).toBe(2);
    expect(bind(0)).toBe(EEXIST);
    expect(bind(2)).toBe(EINVAL);
  });

  test("are freed by close, and then are free", () => {
    const port = bind(0);
    bench.poke(page, port);
    expect(bench.call(CALL.EVENT_CHANNEL_OP, 3, page)).toBe(0);
    expect(bench.call(CALL.EVENT_CHANNEL_OP, 3, page)).toBe(EINVAL);
    expect(bind(0)).toBe(port);
  });

  test("connect inside the domain, and carry events", () => {
    bench.poke(page, 0x7ff0_7ff0);
    expect(bench.call(CALL.EVENT_CHANNEL_OP, 6, page)).toBe(0);
    const remote = Number(bench.peek(page) >> 32n);
    bench.poke(page, 0x7ff0n | (BigInt(remote) << 32n), 0);
    expect(bench.call(CALL.EVENT_CHANNEL_OP, 0, page)).toBe(0);
    const local = Number(bench.peek(page + 8n) & 0xffff_ffffn);
    bench.poke(page, local);
    expect(bench.call(CALL.EVENT_CHANNEL_OP, 4, page)).toBe(0);
    expect(bench.domain.channels.isPending(remote)).toBe(true);
  });

  test("have no queues, so that guests use the bitmaps", () => {
    expect(bench.call(CALL.EVENT_CHANNEL_OP, 11, page)).toBe(ENOSYS);
  });
});
