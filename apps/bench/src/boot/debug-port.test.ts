/** A machine seen through the protocol: our client on our stub, with nothing between but a queue of bytes. */
import { assemble } from "@ringside/isa";
import { GdbClient, GdbServer, targetRegisters, type Connection } from "@ringside/gdb";
import { Host } from "@ringside/strategy";
import { bare } from "@ringside/strategy-bare";
import { describe, expect, test } from "vitest";
import { parseDebugPort } from "./debug-port.ts";
import { MachineLoop } from "./machine-loop.ts";

const memoryBytes = 4 << 20;

/** Two ends of one connection. */
function connected(): readonly [Connection, Connection] {
  const end = (other: () => Connection): Connection => ({
    listener: undefined,
    send: (bytes) => queueMicrotask(() => other().listener?.bytes(bytes)),
    close: () => queueMicrotask(() => other().listener?.closed()),
  });
  const near: Connection = end(() => far);
  const far: Connection = end(() => near);
  return [near, far];
}

async function debugged(source: string) {
  const { bytes: image, symbols } = assemble(source, { address: 0x10_0000n });
  const guest = { kind: "kernel", image, format: "flat", commandLine: "", memoryBytes } as const;
  const machine = bare.create(Host.create({ memoryBytes }), guest);
  const loop = new MachineLoop(machine, { realTime: false });
  const server = new GdbServer({
    machine,
    run: () => loop.run(),
    interrupt: () => loop.pause(),
  });
  const [near, far] = connected();
  server.attach(far);
  const exit = server.serve();
  const client = await GdbClient.connect(near);
  return { client, exit, machine, server, at: (name: string) => symbols.get(name) ?? 0n };
}

const COUNTS = `
  mov ecx, 3
again: add rax, 5
  dec ecx
  jnz again
over: mov al, 9
  out 0xf4, al
  hlt`;

describe("a machine behind the protocol", () => {
  test("stops at breakpoints, steps, and ends with the guest's value", async () => {
    const { client, exit, at } = await debugged(COUNTS);
    await client.setBreakpoint(at("again"), true);
    expect(await client.continue()).toEqual({ kind: "stopped", signal: 5 });
    expect((await client.registers()).get("rip")).toBe(at("again"));
    expect(await client.step()).toEqual({ kind: "stopped", signal: 5 });
    expect((await client.registers()).get("rax")).toBe(5n);
    await client.setBreakpoint(at("again"), false);
    expect(await client.continue()).toEqual({ kind: "ended", status: 9 });
    expect(await exit).toEqual({ reason: "halted", value: 9 });
  });

  test("is stopped in the middle of a loop, changed, and let go", async () => {
    const { client, exit, at } = await debugged("again: jmp again\n out_of_it: cli\n hlt");
    const stopped = client.continue();
    client.interrupt();
    expect(await stopped).toEqual({ kind: "stopped", signal: 2 });
    const rip = targetRegisters.findIndex(({ name }) => name === "rip");
    const digits = at("out_of_it").toString(16).padStart(16, "0").match(/../gu) ?? [];
    const value = digits.toReversed().join(""); // Least significant byte first.
    expect(await client.request(`P${rip.toString(16)}=${value}`)).toBe("OK");
    expect(await client.continue()).toEqual({ kind: "ended", status: 0 });
    expect(await exit).toEqual({ reason: "halted", value: undefined });
  });

  test("tells which datum was written", async () => {
    const { client, machine, server } = await debugged("mov [0x200000], eax\n hlt");
    expect(await client.request("Z2,200000,4")).toBe("OK");
    expect(await client.request("vCont;c")).toBe("T05watch:200000;thread:01;");
    server.close();
    machine[Symbol.dispose]();
  });

  test("shows what is left of a guest that broke its machine", async () => {
    const { client, exit, at } = await debugged("mov ebx, 7\n bad: ud2");
    expect(await client.continue()).toEqual({ kind: "stopped", signal: 6 });
    const registers = await client.registers();
    expect([registers.get("rbx"), registers.get("rip")]).toEqual([7n, at("bad")]);
    expect(await client.continue()).toEqual({ kind: "ended", status: 6 });
    expect((await exit).reason).toBe("crashed");
  });

  test("goes on without its breakpoints when the debugger goes away", async () => {
    const { client, exit, at } = await debugged(COUNTS);
    await client.setBreakpoint(at("over"), true);
    client.close();
    expect(await exit).toEqual({ reason: "halted", value: 9 });
  });

  test("is ended by the debugger's kill", async () => {
    const { client, exit } = await debugged("again: jmp again");
    void client.request("k").catch(() => undefined); // No reply follows.
    expect(await exit).toEqual({ reason: "killed" });
  });

  test("answers what is malformed, not mapped, or unknown", async () => {
    const { client, server, machine } = await debugged("hlt");
    const replies = new Map([
      ["m100000,2", "f4"],
      ["mzz,1", "E01"],
      ["m7fffffffffff,4", "E14"],
      ["m", "E01"],
      ["M200000,2:00", "E01"],
      ["M200000,1:0g", "E01"],
      ["M7fffffffffff,1:00", "E14"],
      ["pffff", "E16"],
      ["P0=zz", "E16"],
      ["G00", "E01"],
      ["Z2,200000,0", "E01"],
      ["Z9,200000,1", ""],
      ["Z0,nowhere,1", "E01"],
      ["vCont;x", "E01"],
      ["qXfer:features:read:none.xml:0,100", "E00"],
      ["unheardOf", ""],
    ]);
    for (const [request, reply] of replies) {
      const answer = await client.request(request);
      expect({ request, reply: answer.slice(0, reply.length), empty: answer === "" }).toEqual({
        request,
        reply,
        empty: reply === "",
      });
    }
    server.close();
    machine[Symbol.dispose]();
  });
});

test.each([
  ["1234", { host: "127.0.0.1", port: 1234 }],
  ["0", { host: "127.0.0.1", port: 0 }],
  ["0.0.0.0:1", { host: "0.0.0.0", port: 1 }],
  ["[::1]:65535", { host: "::1", port: 65_535 }],
])("--gdb %s is an address and a port", (text, port) => {
  expect(parseDebugPort(text)).toEqual(port);
});

test.each(["", "65536", "host:", ":1", "::1:1234", "[::1]", "1234x"])(
  "--gdb %j is refused",
  (text) => {
    expect(() => parseDebugPort(text)).toThrow("Give a port such as 1234");
  },
);
