/**
 * Packages of Debian, through apt, which verifies them. Nothing is installed, and no root is needed.
 *
 * @packageDocumentation
 */
import { spawn } from "node:child_process";
import { access, readdir } from "node:fs/promises";
import { constants } from "node:fs";
import { delimiter, join } from "node:path";
import { CommandError } from "../failure.ts";

/** The programs that are used; all come with Debian and what is made of it. */
const programs = ["apt-get", "apt-cache", "dpkg-deb", "tar"] as const;

/** Those of {@link programs} that this machine lacks. */
export async function missingPrograms(): Promise<readonly string[]> {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const missing: string[] = [];
  for (const program of programs) {
    const places = folders.map((folder) => isExecutable(join(folder, program)));
    if (!(await Promise.all(places)).includes(true)) missing.push(program);
  }
  return missing;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false; // That is the answer.
  }
}

/** What a package that only points at another one, as linux-image-cloud-amd64 does, points at. */
export async function dependencyOf(name: string): Promise<string> {
  const text = await run("apt-cache", ["depends", name]);
  const dependency = /^\s*Depends: (\S+)$/mu.exec(text)?.[1];
  if (dependency !== undefined) return dependency;
  throw new CommandError(`apt knows nothing that ${name} depends on. Run \`apt-get update\`.`);
}

/**
 * Downloads a package into `folder` and unpacks the files that match, below `folder` as well.
 *
 * @param patterns As tar's `--wildcards` takes them: `./boot/vmlinuz-*`.
 */
export async function unpackPackage(
  name: string,
  patterns: readonly string[],
  folder: string,
): Promise<void> {
  await run("apt-get", ["-qq", "download", name], folder);
  const archive = (await readdir(folder)).find(
    (file) => file.startsWith(`${name}_`) && file.endsWith(".deb"),
  );
  if (archive === undefined)
    throw new CommandError(`apt-get downloaded no package ${name}. Run \`apt-get update\`.`);
  const unpack = spawn("dpkg-deb", ["--fsys-tarfile", archive], { cwd: folder });
  const extract = spawn("tar", ["-x", "-C", folder, "--wildcards", ...patterns], {
    cwd: folder,
  });
  // tar may have all it wants before the end; what dpkg-deb says about that is not news.
  extract.stdin.on("error", () => undefined);
  unpack.stdout.pipe(extract.stdin);
  await Promise.all([
    ended(unpack, `dpkg-deb --fsys-tarfile ${archive}`),
    ended(extract, `tar -x ${patterns.join(" ")}`),
  ]);
}

/**
 * Runs a program of the system and gives what it wrote.
 *
 * @throws {CommandError} It is not there or fails; the message has what it complained of.
 */
export function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = spawn(program, args, { ...(cwd === undefined ? {} : { cwd }) });
  return ended(child, `${program} ${args.join(" ")}`);
}

/** The output of a program; an error with what it complained of when it fails. */
function ended(child: ReturnType<typeof spawn>, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    let complaint = "";
    child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString("latin1")));
    child.stderr?.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    child.on("error", (error) =>
      reject(new CommandError(`"${what}" cannot be run (${error.message}).`)),
    );
    child.on("close", (status) => {
      if (status === 0) resolve(output);
      else reject(new CommandError(`"${what}" failed: ${complaint.trim() || `status ${status}`}`));
    });
  });
}
