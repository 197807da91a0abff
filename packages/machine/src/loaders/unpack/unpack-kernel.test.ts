/** Kernels packed as Linux packs them, by the usual tools: gzip -9n; xz --check=crc32 --x86; zstd -19 --no-check. */
import { describe, expect, test } from "vitest";
import { ImageError } from "../image-error.ts";
import { unpackKernel } from "./unpack-kernel.ts";

/** 3000 bytes and a few: an ELF's magic, then calls and jumps that the filter for x86 code turns around. */
function kernel(): Uint8Array {
  const bytes = [0x7f, 0x45, 0x4c, 0x46];
  for (let round = 0; bytes.length < 3000; round += 1) {
    const at = bytes.length;
    const kind = round % 7;
    if (kind < 4) {
      const displacement = kind < 3 ? 200 - at - 5 : at * 3 + round;
      bytes.push(kind % 2 === 0 ? 0xe8 : 0xe9);
      for (const shift of [0, 8, 16, 24]) bytes.push((displacement >> shift) & 0xff);
    } else if (kind === 4) bytes.push(0xe8, 0xff, 0x00);
    else if (kind === 5) bytes.push(...Array.from({ length: round % 5 }, () => 0x90));
    else bytes.push(0xe9, 0xe8, 0, 0, 0);
  }
  return Uint8Array.from(bytes);
}

const packed = {
  gzip: [
    "H4sIAAAAAAACA12Uf0zUdRyHjx8Hx+FxeMdxeHdwnBwpS2msYhGNcldEU1dEOrWhqZGbYUxzIxZJbP4YZabhUGKZE52WYymLXCaxkY1lbOhmEU",
    "3czJHf0y1dRBwi0ffhxvb+fP9537PndXd7dre7hueWlWo9JpMpfF4/Whf0FDRtCms8tmOOQK3Qoei2f3903YV7H3oXisyus3sV9jXoVWhdTHSP",
    "jmWoEFQCdcfMvjg65yGDkB8KxIoqG8YCxUH1sUrV3enp6fBt/Wgj0HCsoWoAe4n9R+jZOFnViepgPAUdi1OrmpH7mJughHhRVYvZxrYFWh+vVK",
    "3GvcL6ItQbb6gqwj7G/giUZ5ZVPpSb0QHtMatVU//pMqIfbRS6YxZVNzDX2Aah0gSl6gfc96zfQicTDFXt2CPsrVBKoqzajWpkrIeqE9WqTcgN",
    "zJXQ5URRtXSmhW0J9LBFqVqMW8iaA+21GKpsWAt7HDRqkVX3pvgI9KP9CZUnqVVXkP3MfVBXkqjqwpxhOw2lWpWqQ7hPWD+CtloNVbXYbexboN",
    "+ssmoNagXjS1BhslpVPCOZC6BPk0WVH+Nhc0FjyUpVDO7BA30d10945RxD1Q3sNfZBqHuOrLqI6mE8D3ltatUJ5FHmNqjBJqqaMDvZGqDfbUrV",
    "m7g3WNdDxSmGqqXYUvYl0LEUWZWPymMMQia7WmVHWpnN0Ot2UTU6qZu/9KOFoR67UvUL7jLrz1B2qqGqC3uG/TS0J1VWHUY1M+6DRlLVqjrkdu",
    "Ya6IW5oqoSs4qtAjo+V6l6Gvck6+OQ2WGo8mM97C6o2iGrYlFT9/Uxcp+/NYdadRN5nXkIyneKqj5ML1s31ORUqr7AHWf9HLrtNFQ1YXeyN0Dl",
    "abKqGrWJcQP0VZpatRxZxhyCnC5RVYBZxLYAesulVDlxKaxJ0IDLUDU6wfc/wfcPFabLql9RVxj7oYPpatU5ZCdzBxRJF1VtmBa2A1CFW6l6D/",
    "cO69vQ125DVSV2FXsF5M2QVc+gihkLoboMtSqA9DG7oeEMUWXGmNgmIzo9MU+puoX7Qz/aMNQ6z1DVh+1l74ZMHln1JeoE41ForUet+hC5m7lx",
    "5l08oqoGs5mtCsr0KlXluGWsz0M7vIaqAuwi9gXQiFdWpaHsjFYo5FOrxsZ1eU8/2h3opE9UDWGusg1AsZlK1Xe4b1jPQhszDVVt2Bb2A9ClTF",
    "m1A1XHuB1amKVWrUOuYV4B7c0SVSFMCVsRdCtLqcrFZbN6oTK/ocqMNbFP/svPzC+rNNRN/WjXIVu2WvUT8iJzD7Q1W1R1YE6xtUP92UrVx7gP",
    "WHdBiwOGqhrsZvYq6GBAVr2MWs5YBv0dUKseReYz50Er54sqN8bBZoPOzleqJsZ0949+tLuQI8dQNYS9yj4A1eXIqguoc4yd0GCOWvUZ8jBzM1",
    "QcFFWNmHq2WqglqFRtxK1lXQ2NBw1VIWwJe9HMM3Nl1UOoAKMPupCrVP0Pxj5T2bwLAAA=",
  ].join(""),
  xz: [
    "/Td6WFoAAAFpIt42AgEEACEBCADSuXTL4Au7AitdAD+RRYRwbRNH2WPRd96/HRUqQGaG55hJ89/C13/wpTIZEaRRvWvb5erEah6YpzFPXdvF1u",
    "uE655hptbyvTJ9pqlZ9ORBbj9N7bmyuUAeqxgejCODBjQ6wkCr++ZQKWxlWRymKmLqpv/d5magVmHdzXpaLfk8qoV9W7HejWhL3PADSiIktcxM",
    "BJkRkluKSsyXPHt0Say3nxABh43SlBfL4a3tIcZukdx3T4H6VnJe7fu89TGKZvOmYpm+X7vYT8/aKg/eTCcrEm1chNVcY0VCM/WkeWrWho6qMi",
    "MapqaA2f6K2m9t8sk1Hczx55UGDHSIaBFFEqz2BSSG9Ax0H+V+432JB/490Rw5617bvXUyDdmQVbu2PYPOttKuz2NyNr0QZE7a6+bXNnVbJDld",
    "/afnxP2jJ6EONVoaAkg1Pe+vmeWKVk3B3vgUbAEZ6R9KTTdUEDqWsQ8WmkKt8TteyI1iWpNGSz3k3TwPj086GkFRdu8BwF7MljbvWn7JUdUDyg",
    "FK1vj3W9TLIgenrwUTEMofZbYcn4+JTvt1qaUL61WvxoXXQMDnoVNXtoUBg6YHP1X5TiYaiUhW2hHpR9iGC7t3H3j92svAcsK+pHNxlZaZbaDK",
    "3dogalVwN4sMMlcxyY9OwiGcc1d3DK+7mZf19EQn71C1ixN1P7hJJUuU2sNYls5zWXbtddkumzEfGSkgYgqK1LzThJj+Qa9zxB+kxCjltGqrpQ",
    "Hl+PjuVxjQAAAAxj5T2QABwwS8FwAA0Fpk7z4wDYsCAAAAAAFZWg==",
  ].join(""),
  zstd: [
    "KLUv/QBo5RoAhCB/RUxG6L8AAADpuui16Tzo/wDp6KOemZf/AJCQ6eiFgHv4ZWBbXwEASEM+vSkkHyECDQgDfALv////6ero5endAs/KxUQDsq",
    "2oopOOiQYEd3JtYVlUT8IEOTQvKQUcFxKHBf3++P7z6wXh3NdGBsO+uaejnpkOB4aBfGxnYl3QB0tGQSsILSgjjAgNCAPzCPD96/3mUQnRzMe1",
    "tbCrEAqXko1xd3Jt2FpVUDYLOzYxmgsfGhX1CwH8/Pf8Vgzh3Ne9xL+6Gw2loJt/iYR/2mtmYTsOS0ZBog4uKSQADw8KBWQP8/vu++m/D9XQyy",
    "AQtbCrh5iTjuV5dG9JEV1YU6QRPzo1BRIfGhVsEgL9+vj6yhLj3tkuE8fCvYmppJ/qiYR/URRsZ2KvFE1IQxMVMSwnbhUTDgnPFfP57vnpNhbW",
    "0cyUt7Kt+JuWkVMXfXhztF1YUxsYQDs2eRghHBfdGAUA+/g4Gefi6N3pmRnHwr0AGqqloF6LhoHCb2plHRtRTEd+GzEsJ+UbFA8KQxz19/D366",
    "cc2dTPAh27trFjm5aRyn55dCgeX1pVjB5DPjnnHiUgG0gfBQD79q8f6OPo3ukNIMnEv3GtqKPMj4qFLSFvamWUUk1I8iEzLilWIhcSDbEi+fX0",
    "9e8SI9nUz3m8t7LXnZiTOySBfHeWY15Z9yRDPjleJSYhHLwlga6oUbhOoc2RqmDSMVG4gYiIELcBxQ94rBIu8qMeWoofM24bkJ1To2YwzQaB3f",
    "/kWEY4yCHZWXDg98clftTDdCEEFiURPMI7uomAv4fnmrMKXgvhtAflZ0oIchWBriG8z6u1mxYe04itn/XHXQiBxSQOnGXWGTJLnAoe4T2yAKCP",
    "B6LYO4ggV1rwY3V0ysLBYNoG9DNOoWvrGnl8PM6LGsnkQfPvEoJc6QT+Ug8t+0P0cL88jj6cvjehse7EgbPMSXtQfjYJP57wvQbBfvdAFJ9LPx",
    "IO/KUepgshsKhwQO2ES65narN/8T85lhEOckh2JrDgLqLcz/roLoTAomCdXs32sfQ4vnfuzIGzzDpDZsmBBXeh4Y2ht8619YkWH5oJl32ohsIF",
    "x49bBGKdhQ2aJ45FihSAHuLPTHHoN5dzAKcIZ+geEuVKhL0KpVceNIACMKs=",
  ].join(""),
};

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** A bzImage whose payload is `payload`, followed by `sizeBytes` of the kernel's size as Linux does. */
function bzImage(payload: Uint8Array, trailer: readonly number[]): Uint8Array {
  const paragraphs = Math.ceil((payload.length + trailer.length) / 16);
  const image = new Uint8Array(1024 + 16 * paragraphs);
  const view = new DataView(image.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint32(0x1f4, paragraphs, true);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint16(0x200, 0x6aeb, true);
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x24c, payload.length + trailer.length, true);
  image.set(payload, 1024);
  image.set(trailer, 1024 + payload.length);
  return image;
}

const little = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);
const size = little(kernel().length);

describe("the kernel in a bzImage", () => {
  test.each([
    ["gzip", bzImage(bytesOf(packed.gzip), [])],
    ["xz", bzImage(bytesOf(packed.xz), size)],
    ["zstd", bzImage(bytesOf(packed.zstd), size)],
    ["nothing", bzImage(kernel(), [])],
  ])("packed with %s comes out as it went in", async (_, image) => {
    expect(await unpackKernel(image)).toEqual(kernel());
  });

  test.each([
    ["gzip", bytesOf(packed.gzip), []],
    ["xz", bytesOf(packed.xz), size],
    ["zstd", bytesOf(packed.zstd), size],
  ])("packed with %s and cut short is an error", async (_, payload, trailer) => {
    const cut = bzImage(
      payload.subarray(0, payload.length / 2),
      trailer.length > 0 ? trailer : size,
    );
    await expect(unpackKernel(cut)).rejects.toThrow(ImageError);
    await expect(unpackKernel(cut)).rejects.toThrow(
      "at offset 0x400 expected a kernel packed with",
    );
  });

  test.each([
    ["xz", bytesOf(packed.xz), size],
    ["gzip", bytesOf(packed.gzip), []],
  ])("with a flipped bit anywhere is an error under %s, which has a checksum", async (...row) => {
    const [, payload, trailer] = row;
    for (let at = 20; at < payload.length - 40; at += 37) {
      const image = bzImage(payload, trailer);
      image[1024 + at] = (image[1024 + at] ?? 0) ^ 0x10;
      await expect(unpackKernel(image)).rejects.toThrow(ImageError);
    }
  });

  test("packed with something else is an error that shows how it begins", async () => {
    const image = bzImage(Uint8Array.of(0x42, 0x5a, 0x68, 0x39, 0, 0, 0, 0), size);
    await expect(unpackKernel(image)).rejects.toThrow("found the bytes 42 5a 68 39");
  });

  test("of which nothing is there is an error", async () => {
    await expect(unpackKernel(bzImage(new Uint8Array(), []))).rejects.toThrow("found nothing");
  });

  test("that unpacks to far more than it says is an error, and does not take the room", async () => {
    const { gzipSync } = await import("fflate");
    const bomb = gzipSync(new Uint8Array(200 << 20));
    new DataView(bomb.buffer, bomb.byteOffset).setUint32(bomb.length - 4, 1000, true);
    await expect(unpackKernel(bzImage(bomb, []))).rejects.toThrow(
      "more than the 1000 bytes that it says",
    );
  });

  test("that says it is enormous is an error", async () => {
    const image = bzImage(bytesOf(packed.xz), little(0x7fff_ffff));
    await expect(unpackKernel(image)).rejects.toThrow("a kernel of at most 536870912 bytes");
  });
});
