/** Which numbers a machine was given for which files, and how often. */
import { errorNumber } from "./messages.ts";
import { FuseError } from "./fuse-error.ts";

export const rootNode = 1;
/** Files that the machine may hold on to. */
const nodesMaximum = 1 << 20;

interface Node {
  /** Undefined when the file was removed. */
  path: string | undefined;
  lookups: number;
}

export class NodeTable {
  readonly #nodes = new Map<number, Node>();
  readonly #numbers = new Map<string, number>();
  #next = rootNode + 1;

  constructor() {
    this.clear();
  }

  /** The machine knows nothing but the root any more. */
  clear(): void {
    this.#nodes.clear();
    this.#numbers.clear();
    this.#nodes.set(rootNode, { path: "", lookups: 1 });
    this.#numbers.set("", rootNode);
    this.#next = rootNode + 1;
  }

  /** @throws {FuseError} ENOENT when the number means nothing. */
  path(number: number): string {
    const path = this.#nodes.get(number)?.path;
    if (path === undefined) throw new FuseError(errorNumber.ENOENT);
    return path;
  }

  /** True for the number of a file that was removed. */
  isGone(number: number): boolean {
    const node = this.#nodes.get(number);
    return node !== undefined && node.path === undefined;
  }

  /** The number of a path, which the machine is told once more. @throws {FuseError} ENOMEM when there are too many. */
  tell(path: string): number {
    const known = this.#numbers.get(path);
    const number = known ?? this.#next;
    if (known === undefined) {
      if (this.#nodes.size >= nodesMaximum) throw new FuseError(errorNumber.ENOMEM);
      this.#next += 1;
      this.#nodes.set(number, { path, lookups: 0 });
      this.#numbers.set(path, number);
    }
    const node = this.#nodes.get(number);
    if (node !== undefined) node.lookups += 1;
    return number;
  }

  forget(number: number, lookups: number): void {
    const node = this.#nodes.get(number);
    if (node === undefined || number === rootNode) return;
    node.lookups -= lookups;
    if (node.lookups > 0) return;
    this.#nodes.delete(number);
    if (node.path !== undefined) this.#numbers.delete(node.path);
  }

  /** A file is gone: its number stays known, and means nothing. */
  removed(path: string): void {
    const number = this.#numbers.get(path);
    this.#numbers.delete(path);
    const node = number === undefined ? undefined : this.#nodes.get(number);
    if (node !== undefined) node.path = undefined;
  }

  /** A file, with all that is in it when it is a folder, is elsewhere now. */
  renamed(from: string, to: string): void {
    this.removed(to);
    const moved = [...this.#numbers].filter(
      ([path]) => path === from || path.startsWith(`${from}/`),
    );
    for (const [path, number] of moved) {
      const now = to + path.slice(from.length);
      this.#numbers.delete(path);
      this.#numbers.set(now, number);
      const node = this.#nodes.get(number);
      if (node !== undefined) node.path = now;
    }
  }
}
