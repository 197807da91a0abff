import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDisk } from "@ringside/machine-node";

const path = join(mkdtempSync(join(tmpdir(), "ringside-")), "disk.img");
writeFileSync(path, new Uint8Array(1 << 20));

using store = openDisk(path); // Changes stay in memory; { writable: true } lets them through.
store.write(512, new TextEncoder().encode("a sector"));
const sector = new Uint8Array(8);
store.read(512, sector);
console.log(new TextDecoder().decode(sector)); // => a sector
console.log(store.sizeBytes / 512, "sectors"); // => 2048 sectors
// A guest gets it as hardware: { disks: [{ store }] }.
