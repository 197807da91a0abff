import { describe, expect, test } from "vitest";
import type { Counts } from "./counts.ts";
import { StrategyError, type StrategyErrorCode } from "./error.ts";
import type { Exit } from "./exit.ts";
import { virtualMachine, type MachineCore } from "./life-cycle.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

/**
 * The smallest core there is: an accumulator that adds up its input, one byte per unit, and exits with the
 * sum. The byte 255 crashes it; the byte 254 calls `onCall`.
 */
class Accumulator implements MachineCore {
  units = 0;
  sum = 0;
  disposed = 0;
  inputClosed = false;
  onCall: () => void = () => {};
  #queue: number[] = [];
  #ended = false;
  #interrupted = false;

  readonly inspect = {
    registers: () => ({ sum: BigInt(this.sum) }),
    translate: () => undefined,
    readMemory: () => undefined,
  };

  get bufferedBytes(): number {
    return this.#queue.length;
  }

  run(limitUnits: number): Exit {
    this.#interrupted = false;
    for (let spent = 0; spent < limitUnits && !this.#interrupted; spent += 1) {
      const byte = this.#queue.shift();
      if (byte === undefined) {
        if (!this.#ended) return { reason: "waiting" };
        return { reason: "exited", status: { kind: "code", code: this.sum & 0xff } };
      }
      this.units += 1;
      if (byte === 255)
        return { reason: "crashed", why: "255", registers: this.inspect.registers() };
      if (byte === 254) this.onCall();
      else this.sum += byte;
    }
    return { reason: "limit" };
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  reset(): void {
    this.units = 0;
    this.sum = 0;
    this.#queue = [];
    this.#ended = false;
  }

  write(bytes: Uint8Array): void {
    this.#queue.push(...bytes);
  }

  endInput(): void {
    this.#ended = true;
  }

  counts(): Counts {
    return {
      units: this.units,
      instructions: this.units,
      rings: {},
      mnemonics: {},
      exceptions: {},
      interrupts: {},
      translation: {},
    };
  }

  dispose(): void {
    this.disposed += 1;
  }
}

function machine(...input: number[]): { core: Accumulator; vm: VirtualMachine; states: string[] } {
  const core = new Accumulator();
  const states: string[] = [];
  const vm = virtualMachine("test", core, { state: ({ to }) => states.push(to) });
  if (input.length > 0) vm.input.write(Uint8Array.from(input));
  return { core, vm, states };
}

function codeOf(action: () => unknown): StrategyErrorCode | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof StrategyError) return error.code;
    throw error;
  }
  return undefined;
}

describe("run", () => {
  test("honours the limit exactly and goes on where it was", () => {
    const { vm } = machine(1, 2, 3);
    expect(vm.run(2)).toEqual({ reason: "limit" });
    expect([vm.units, vm.state]).toEqual([2, "paused"]);
    vm.input.end();
    expect(vm.run(10)).toEqual({ reason: "exited", status: { kind: "code", code: 6 } });
    expect(vm.state).toBe("stopped");
  });

  test("waits for input and takes it afterwards", () => {
    const { vm } = machine();
    expect(vm.run(5)).toEqual({ reason: "waiting" });
    vm.input.write(new Uint8Array([7]));
    vm.input.end();
    expect(vm.run(5)).toMatchObject({ status: { code: 7 } });
  });

  test.each([0, -1, 1.5, NaN, Infinity])("refuses the limit %d", (limit) => {
    expect(codeOf(() => machine().vm.run(limit))).toBe("invalid-option");
  });

  test("reports a crash with its registers, once", () => {
    const { vm } = machine(4, 255, 1);
    expect(vm.run(9)).toEqual({ reason: "crashed", why: "255", registers: { sum: 4n } });
    expect(vm.state).toBe("crashed");
    expect(codeOf(() => vm.run(1))).toBe("wrong-state");
  });

  test("cannot be entered from its own callbacks", () => {
    const { core, vm } = machine(254);
    const codes: unknown[] = [];
    core.onCall = () =>
      codes.push(
        codeOf(() => vm.run(1)),
        codeOf(() => vm.reset()),
        codeOf(() => vm[Symbol.dispose]()),
      );
    vm.run(5);
    expect(codes).toEqual(["wrong-state", "wrong-state", "wrong-state"]);
  });

  test("stops for good when a listener throws", () => {
    const { core, vm } = machine(254, 1);
    core.onCall = () => {
      throw new Error("listener");
    };
    expect(() => vm.run(5)).toThrow("listener");
    expect(codeOf(() => vm.run(5))).toBe("wrong-state");
  });
});

describe("pause and stop", () => {
  test("end a run from a callback at the next instruction", () => {
    for (const [verb, reason, state] of [
      ["pause", "paused", "paused"],
      ["stop", "stopped", "stopped"],
    ] as const) {
      const { core, vm } = machine(1, 254, 1, 1);
      core.onCall = () => vm[verb]();
      expect(vm.run(9)).toEqual({ reason });
      expect([vm.units, vm.state]).toEqual([2, state]);
    }
  });

  test("pausing a machine that never ran is wrong, pausing twice is not", () => {
    const { vm } = machine();
    expect(codeOf(() => vm.pause())).toBe("wrong-state");
    vm.run(1);
    expect(codeOf(() => vm.pause())).toBeUndefined();
  });

  test("stopping is allowed in every state", () => {
    const { vm } = machine();
    vm.stop();
    vm.stop();
    expect(vm.state).toBe("stopped");
  });
});

describe("start", () => {
  test("sleeps while the machine waits and resolves with the end", async () => {
    const { vm } = machine(1);
    const exit = vm.start({ sliceUnits: 1 });
    expect(vm.state).toBe("running");
    expect(codeOf(() => vm.run(1))).toBe("wrong-state");
    await Promise.resolve();
    vm.input.write(new Uint8Array([2]));
    vm.input.end();
    expect(await exit).toMatchObject({ status: { code: 3 } });
  });

  test("honours its limit across slices", async () => {
    const { vm } = machine(1, 1, 1, 1, 1);
    expect(await vm.start({ limitUnits: 4, sliceUnits: 3 })).toEqual({ reason: "limit" });
    expect(vm.units).toBe(4);
  });

  test("resolves when stopped or paused while the machine waits", async () => {
    const first = machine();
    const stopped = first.vm.start();
    first.vm.stop();
    expect(await stopped).toEqual({ reason: "stopped" });

    const second = machine();
    const paused = second.vm.start();
    second.vm.pause();
    expect(await paused).toEqual({ reason: "paused" });
    expect(second.vm.run(1)).toEqual({ reason: "waiting" });
  });

  test("resolves with stopped when its signal aborts, also beforehand", async () => {
    const before = new AbortController();
    before.abort();
    expect(await machine(1).vm.start({ signal: before.signal })).toEqual({ reason: "stopped" });

    const later = new AbortController();
    const exit = machine().vm.start({ signal: later.signal });
    later.abort();
    expect(await exit).toEqual({ reason: "stopped" });
  });

  test("rejects as run throws", async () => {
    await expect(machine().vm.start({ sliceUnits: 0 })).rejects.toMatchObject({
      code: "invalid-option",
    });
  });

  test("resolves when the machine is disposed meanwhile", async () => {
    const { vm, core } = machine();
    const exit = vm.start();
    vm[Symbol.dispose]();
    expect(await exit).toEqual({ reason: "stopped" });
    expect(core.disposed).toBe(1);
  });
});

describe("reset and dispose", () => {
  test("reset starts anew, and input can be written again", () => {
    const { vm } = machine(5);
    vm.input.end();
    vm.run(9);
    vm.reset();
    expect([vm.state, vm.units]).toEqual(["created", 0]);
    vm.input.write(new Uint8Array([1]));
    vm.input.end();
    expect(vm.run(9)).toMatchObject({ status: { code: 1 } });
  });

  test("writing after the end is wrong, ending twice is not", () => {
    const { vm } = machine();
    vm.input.end();
    vm.input.end();
    expect(codeOf(() => vm.input.write(new Uint8Array(1)))).toBe("wrong-state");
  });

  test("nothing works after disposal but disposal", () => {
    const { vm, core } = machine();
    vm[Symbol.dispose]();
    vm[Symbol.dispose]();
    expect(core.disposed).toBe(1);
    for (const action of [
      () => vm.run(1),
      () => vm.reset(),
      () => vm.stop(),
      () => vm.counts(),
      () => vm.input.end(),
      () => vm.inspect.registers(),
    ]) {
      expect(codeOf(action)).toBe("disposed");
    }
  });

  test("the trace tells every change of state", () => {
    const { vm, states } = machine(1);
    vm.run(1);
    vm.input.end();
    vm.run(1);
    vm.reset();
    expect(states).toEqual(["running", "paused", "running", "stopped", "created"]);
  });
});

test("an error names strategy, value, expectation and remedy", () => {
  expect(() => machine().vm.run(0)).toThrowErrorMatchingInlineSnapshot(
    `[StrategyError: [ringside/test] limitUnits is 0. It counts units of guest progress: pass an integer of at least 1.]`,
  );
});
