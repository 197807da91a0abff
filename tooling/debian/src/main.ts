/**
 * `pnpm guest:busybox`: puts Debian's own static busybox at .cache/debian/busybox.
 *
 * It is the guest program that nobody here wrote. It comes through apt, is verified by apt, needs no root, and
 * is never committed. Where apt is missing or has no network, this says so and fails; tests that want the
 * program then say that they skipped.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../../../.cache/debian/", import.meta.url));
const busybox = join(cache, "busybox");

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) {
    const reason = error?.message ?? stderr.trim();
    throw new Error(`"${command} ${args.join(" ")}" failed: ${reason}`);
  }
}

function fetchBusybox(): void {
  const folder = mkdtempSync(join(tmpdir(), "ringside-debian-"));
  try {
    run("apt-get", ["download", "busybox-static"], folder);
    const [archive] = globSync("busybox-static_*.deb", { cwd: folder });
    if (archive === undefined) throw new Error("apt-get download left no package behind.");
    run("dpkg-deb", ["-x", archive, "tree"], folder);
    const [program] = globSync("tree/{bin,usr/bin}/busybox", { cwd: folder });
    if (program === undefined) throw new Error(`${archive} holds no busybox program.`);
    mkdirSync(cache, { recursive: true });
    copyFileSync(join(folder, program), busybox);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  if (!existsSync(busybox)) fetchBusybox();
  console.log(busybox);
} catch (error) {
  console.error(
    `busybox-static is not available: ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = 1;
}
