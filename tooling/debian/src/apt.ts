/** Packages of Debian, through apt, which verifies them. Nothing is installed and no root is needed. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

export function run(command: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`"${command} ${args.join(" ")}" failed: ${error?.message ?? stderr.trim()}`);
}

/** Unpacks a package below `folder` and gives the files of it that match, one for each pattern. */
export function unpackFrom(name: string, patterns: readonly string[], folder: string): string[] {
  run("apt-get", ["download", name], folder);
  const [archive] = globSync(`${name}_*.deb`, { cwd: folder });
  if (archive === undefined) throw new Error(`apt-get left no package ${name} behind.`);
  run("dpkg-deb", ["-x", archive, "tree"], folder);
  return patterns.map((pattern) => {
    const [file, ...others] = globSync(`tree/${pattern}`, { cwd: folder });
    if (file === undefined || others.length > 0) {
      throw new Error(
        `${archive} has ${others.length + (file === undefined ? 0 : 1)} of ${pattern}.`,
      );
    }
    return `${folder}/${file}`;
  });
}

/** What a package that only points at another one, as linux-image-cloud-amd64 does, points at. */
export function dependencyOf(name: string): string {
  const dependency = /^\s*Depends: (\S+)$/mu.exec(run("apt-cache", ["depends", name]))?.[1];
  if (dependency === undefined) throw new Error(`apt knows nothing that ${name} depends on.`);
  return dependency;
}
