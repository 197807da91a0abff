/**
 * Modules of a Linux kernel: which ones a set of them needs, and the table by which `modprobe` finds that out.
 *
 * A module names those that it uses in its `.modinfo` section, as `depends=a,b` between NUL characters
 * (linux/module.h, MODULE_INFO). Names have underscores where files may have hyphens.
 */

/** A module's path below `/lib/modules/RELEASE`, such as `kernel/fs/fuse/fuse.ko`, and its bytes. */
export interface KernelModule {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** The name by which other modules know it: `virtio_rng` for `kernel/drivers/char/hw_random/virtio-rng.ko`. */
export function moduleName(path: string): string {
  const file = path.slice(path.lastIndexOf("/") + 1);
  return file.replace(/\.ko$/u, "").replaceAll("-", "_");
}

/** Names of the modules that a module uses itself. */
export function directDependencies(bytes: Uint8Array): readonly string[] {
  const text = new TextDecoder("latin1").decode(bytes);
  const list = /\0depends=([^\0]*)\0/u.exec(text)?.[1] ?? "";
  return list === "" ? [] : list.split(",").map((name) => name.replaceAll("-", "_"));
}

/**
 * The modules of `names` and all that they need.
 *
 * @param load Gives a module by its name; undefined where the kernel has it built in or not at all.
 */
export function withDependencies(
  names: readonly string[],
  load: (name: string) => KernelModule | undefined,
): readonly KernelModule[] {
  const found = new Map<string, KernelModule>();
  const visit = (name: string): void => {
    const module = found.has(name) ? undefined : load(name);
    if (module === undefined) return;
    found.set(name, module);
    for (const needed of directDependencies(module.bytes)) visit(needed);
  };
  for (const name of names) visit(name.replaceAll("-", "_"));
  return [...found.values()];
}

/** The file `modules.dep`: each module with all that must be loaded before it, the last of them first. */
export function modulesDep(modules: readonly KernelModule[]): string {
  const byName = new Map(modules.map((module) => [moduleName(module.path), module]));
  const lines = modules.map((module) => {
    const needed: string[] = [];
    const visit = (name: string): void => {
      const other = byName.get(name);
      if (other === undefined || other === module) return;
      const known = needed.indexOf(other.path);
      // One that a later one needs as well moves behind it: modprobe loads from the end.
      if (known >= 0) needed.splice(known, 1);
      needed.push(other.path);
      for (const next of directDependencies(other.bytes)) visit(next);
    };
    for (const name of directDependencies(module.bytes)) visit(name);
    return `${module.path}:${needed.map((path) => ` ${path}`).join("")}\n`;
  });
  return lines.toSorted().join("");
}
