import { beforeEach, expect, test } from "vitest";
import type { EthernetLink } from "./ethernet-link.ts";
import { EthernetSwitch } from "./ethernet-switch.ts";

let received: string[];
let ports: EthernetLink[];

beforeEach(() => {
  received = [];
  const hub = new EthernetSwitch();
  ports = ["a", "b", "c"].map((name) => {
    const port = hub.port();
    port.attach({
      now: 0,
      receive: (frame) => received.push(`${name}:${frame[13]}`),
      setAlarm: () => {},
    });
    return port;
  });
});

const address = (last: number): number[] => [0x52, 0, 0, 0, 0, last];
function frame(from: number, to: readonly number[], mark: number): Uint8Array {
  return Uint8Array.of(...to, ...address(from), 8, mark);
}

test("a frame for an address not seen yet goes to all others", () => {
  ports[0]?.send(frame(1, address(2), 10));
  expect(received).toEqual(["b:10", "c:10"]);
});

test("a frame for an address that was seen goes there alone", () => {
  ports[1]?.send(frame(2, address(9), 10));
  received = [];
  ports[0]?.send(frame(1, address(2), 11));
  expect(received).toEqual(["b:11"]);
});

test("a broadcast goes to all others, whatever was seen", () => {
  ports[1]?.send(frame(2, address(9), 10));
  received = [];
  ports[2]?.send(frame(3, [255, 255, 255, 255, 255, 255], 12));
  expect(received).toEqual(["a:12", "b:12"]);
});

test("a frame back to where its address is goes nowhere", () => {
  ports[1]?.send(frame(2, address(9), 10));
  received = [];
  ports[1]?.send(frame(7, address(2), 13));
  expect(received).toEqual([]);
});

test("machines on a switch let the host's time pass once there is another", () => {
  const alone = new EthernetSwitch();
  const first = alone.port();
  expect(first.awaitsHost).toBe(false);
  alone.port();
  expect(first.awaitsHost).toBe(true);
});
