import { describe, expect, test } from "vitest";
import { encodePacket, PacketReader } from "./packet.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
const text = (data: Uint8Array): string => String.fromCharCode(...data);

describe("packets", () => {
  test("carry the sum of their data", () => {
    expect(text(encodePacket("OK"))).toBe("$OK#9a");
    expect(text(encodePacket(""))).toBe("$#00");
  });

  test("come back as they were, whatever is in them and wherever they are cut", () => {
    const data = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
    const encoded = encodePacket(data);
    for (let cut = 0; cut <= encoded.length; cut += 1) {
      const reader = new PacketReader();
      const events = [...reader.push(encoded.slice(0, cut)), ...reader.push(encoded.slice(cut))];
      expect(events).toEqual([{ kind: "packet", data }]);
    }
  });

  test("are found among acknowledgements, interrupts and noise", () => {
    expect(new PacketReader().push(bytes("+-\u0003x$OK#9a+"))).toEqual([
      { kind: "acknowledged" },
      { kind: "refused" },
      { kind: "interrupt" },
      { kind: "packet", data: "OK" },
      { kind: "acknowledged" },
    ]);
  });

  test.each(["$OK#9b", "$OK#zz", "$OK#9z"])("are refused with a wrong sum: %s", (packet) => {
    expect(new PacketReader().push(bytes(packet))).toEqual([{ kind: "damaged" }]);
  });

  test("begin anew at each dollar sign", () => {
    expect(new PacketReader().push(bytes("$half$OK#9a"))).toEqual([{ kind: "packet", data: "OK" }]);
  });

  test("unfold run lengths, as the manual's example has them", () => {
    expect(new PacketReader().push(bytes("$0* #7a"))).toEqual([{ kind: "packet", data: "0000" }]);
  });

  test.each(["$* #4a", "$}#7d", "$0*#5a"])(
    "are refused when nothing follows or precedes: %s",
    (packet) => {
      expect(new PacketReader().push(bytes(packet))).toEqual([{ kind: "damaged" }]);
    },
  );

  test("longer than the limit are refused, raw or unfolded", () => {
    expect(new PacketReader(4).push(encodePacket("12345"))).toEqual([{ kind: "damaged" }]);
    expect(new PacketReader(4).push(bytes("$0*~#d8"))).toEqual([{ kind: "damaged" }]);
    expect(new PacketReader(4).push(encodePacket("1234"))).toHaveLength(1);
  });
});
