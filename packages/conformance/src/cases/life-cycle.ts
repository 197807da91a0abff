/** States, wrong use, and what comes back to the host. */
import type { ConformanceCase } from "../conformance-case.ts";
import { Capture, execute } from "../execution.ts";
import { expectEqual, expectError, expectTrue } from "../expect.ts";
import { copies, exits, programGuest, spins, tinyProgram } from "../tiny-program.ts";

/** Writes `x` to standard output without end. */
const chatters = (): Uint8Array =>
  tinyProgram(`
    again:
      mov eax, 1
      mov edi, 1
      lea rsi, [rel text]
      mov edx, 1
      syscall
      jmp again
    text: db 'x'
  `);

export const lifeCycleCases: readonly ConformanceCase[] = [
  {
    name: "goes from created through running to stopped, and tells each change",
    requires: "programs",
    run({ strategy, host }) {
      const states: string[] = [];
      using vm = strategy.create(host, programGuest(exits(0)), {
        trace: { state: ({ from, to }) => states.push(`${from}-${to}`) },
      });
      expectEqual([vm.state, vm.units, vm.strategy], ["created", 0, strategy.id], "a new machine");
      vm.input.end();
      expectEqual(vm.run(1_000_000_000).reason, "exited", "the exit");
      expectEqual(vm.state, "stopped", "the state at the end");
      expectEqual(states, ["created-running", "running-stopped"], "the states told");
    },
  },
  {
    name: "refuses to run a machine that has ended, until it is reset",
    requires: "programs",
    run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(exits(3)));
      vm.input.end();
      const first = vm.run(1_000_000_000);
      expectError("wrong-state", () => vm.run(1), "run after the end");
      vm.reset();
      expectEqual([vm.state, vm.units], ["created", 0], "a machine that was reset");
      vm.input.end();
      expectEqual(vm.run(1_000_000_000), first, "the second life");
    },
  },
  {
    name: "refuses limits that are no positive integers",
    requires: "programs",
    run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(exits(0)));
      for (const limit of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expectError("invalid-option", () => vm.run(limit), `run(${limit})`);
      }
      expectEqual(vm.state, "created", "the state afterwards");
    },
  },
  {
    name: "refuses everything after disposal, and disposal gives the host back",
    requires: "programs",
    run({ strategy, host }) {
      const before = host.freeBytes;
      const vm = strategy.create(host, programGuest(spins()));
      vm.run(1000);
      expectTrue(host.freeBytes < before, "a machine holds memory of the host");
      vm[Symbol.dispose]();
      vm[Symbol.dispose]();
      expectEqual(host.freeBytes, before, "free memory after disposal");
      expectError("disposed", () => vm.run(1), "run after disposal");
      expectError("disposed", () => vm.input.write(new Uint8Array(1)), "write after disposal");
      expectError("disposed", () => vm.counts(), "counts after disposal");
      expectError("disposed", () => vm.inspect.registers(), "registers after disposal");
    },
  },
  {
    name: "leaves nothing on the host when creation fails",
    requires: "programs",
    run({ strategy, host }) {
      const before = host.freeBytes;
      const tooLarge = programGuest(exits(0), { memoryBytes: host.memoryBytes * 2 });
      expectError(
        "out-of-memory",
        () => strategy.create(host, tooLarge),
        "a guest larger than the host",
      );
      const fraction = programGuest(exits(0), { memoryBytes: 0.5 });
      expectError("invalid-option", () => strategy.create(host, fraction), "half a byte of memory");
      const nothing = { ...programGuest(exits(0)), argv: [] };
      expectError("invalid-guest", () => strategy.create(host, nothing), "no program named");
      const missing = { ...programGuest(exits(0)), argv: ["/bin/missing"] };
      expectError(
        "invalid-guest",
        () => strategy.create(host, missing),
        "a program without a file",
      );
      expectEqual(host.freeBytes, before, "free memory afterwards");
    },
  },
  {
    name: "takes the host alone when it says that it is exclusive",
    requires: "programs",
    run({ strategy, host }) {
      using first = strategy.create(host, programGuest(exits(0), { memoryBytes: 32 << 20 }));
      expectEqual(first.state, "created", "the first machine");
      if (!strategy.traits.exclusive) return;
      expectError(
        "host-busy",
        () => strategy.create(host, programGuest(exits(0))),
        "a second machine",
      );
    },
  },
  {
    name: "refuses programs, with a sentence, when it says that it runs none",
    lacks: "programs",
    run({ strategy, host }) {
      const guest = programGuest(exits(0));
      const acceptance = strategy.accepts(guest);
      expectTrue(!acceptance.accepted && acceptance.reason.length > 10, "a reason for people");
      expectError("guest-refused", () => strategy.create(host, guest), "create");
    },
  },
  {
    name: "stops and pauses inside a callback of its own run",
    requires: "programs",
    run({ strategy, host }) {
      let verb: "pause" | "stop" = "pause";
      using vm = strategy.create(host, programGuest(chatters()), {
        output: { stdout: () => vm[verb]() },
      });
      expectEqual(vm.run(1_000_000_000), { reason: "paused" }, "the exit after pause()");
      expectEqual(vm.state, "paused", "the state after pause()");
      verb = "stop";
      expectEqual(vm.run(1_000_000_000), { reason: "stopped" }, "the exit after stop()");
      expectEqual(vm.state, "stopped", "the state after stop()");
    },
  },
  {
    name: "refuses to be entered from its own callbacks",
    requires: "programs",
    run({ strategy, host }) {
      let calls = 0;
      using vm = strategy.create(host, programGuest(chatters()), {
        output: {
          stdout: () => {
            calls += 1;
            expectError("wrong-state", () => vm.run(1), "run inside a callback");
            expectError("wrong-state", () => vm.reset(), "reset inside a callback");
            vm.stop();
          },
        },
      });
      vm.run(1_000_000_000);
      expectTrue(calls > 0, "the callback was called");
    },
  },
  {
    name: "runs in slices on its own, sleeps while the guest waits, and resolves with the end",
    requires: "programs",
    async run({ strategy, host }) {
      const capture = new Capture();
      using vm = strategy.create(host, programGuest(copies()), { output: capture.listeners });
      const exit = vm.start({ sliceUnits: 200_000 });
      vm.input.write(new TextEncoder().encode("first "));
      await new Promise<void>((resolve) => void setTimeout(resolve, 20));
      expectEqual(vm.state, "running", "the state while it waits");
      expectError("wrong-state", () => vm.run(1), "run while started");
      vm.input.write(new TextEncoder().encode("second"));
      vm.input.end();
      expectEqual(await exit, { reason: "exited", status: { kind: "code", code: 0 } }, "the exit");
      expectEqual(capture.text("stdout"), "first second", "the output");
    },
  },
  {
    name: "ends with stopped when it is stopped while it runs on its own",
    requires: "programs",
    async run({ strategy, host }) {
      using vm = strategy.create(host, programGuest(spins()));
      const exit = vm.start({ sliceUnits: 100_000 });
      await new Promise<void>((resolve) => void setTimeout(resolve, 5));
      vm.stop();
      expectEqual(await exit, { reason: "stopped" }, "the exit");
    },
  },
  {
    name: "runs one machine after the other on the same host",
    requires: "programs",
    run(subject) {
      for (const code of [1, 2, 3]) {
        const { exit } = execute(subject, programGuest(exits(code)));
        expectEqual(exit, { reason: "exited", status: { kind: "code", code } }, `machine ${code}`);
      }
    },
  },
];
