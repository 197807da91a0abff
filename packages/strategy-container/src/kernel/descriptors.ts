/** A process's table of file descriptors. */
import { EBADF, EMFILE } from "../abi/errno.ts";
import type { OpenFile } from "../files/open-file.ts";

export class Descriptors {
  /** Processes that use this table. */
  references = 1;
  readonly #files: (OpenFile | undefined)[] = [];
  readonly #closeOnExec = new Set<number>();
  /** No free number is below this. */
  #lowest = 0;

  get(descriptor: number): OpenFile | undefined {
    return this.#files[descriptor];
  }

  /** Descriptors in use, ascending. */
  *open(): Generator<[number, OpenFile]> {
    for (let descriptor = 0; descriptor < this.#files.length; descriptor++) {
      const file = this.#files[descriptor];
      if (file !== undefined) yield [descriptor, file];
    }
  }

  /**
   * Gives `file`, whose reference passes to the table, the lowest free number from `first`.
   * Gives EMFILE, and keeps nothing, when all below `limit` are taken.
   */
  add(file: OpenFile, closeOnExec: boolean, limit: number, first: number = 0): number {
    let descriptor = Math.max(first, this.#lowest);
    while (this.#files[descriptor] !== undefined) descriptor++;
    if (descriptor >= limit) return EMFILE;
    if (first <= this.#lowest) this.#lowest = descriptor + 1;
    this.#put(descriptor, file, closeOnExec);
    return descriptor;
  }

  #put(descriptor: number, file: OpenFile, closeOnExec: boolean): void {
    // Holes are filled, so that the array stays a dense one.
    while (this.#files.length < descriptor) this.#files.push(undefined);
    this.#files[descriptor] = file;
    if (closeOnExec) this.#closeOnExec.add(descriptor);
    else this.#closeOnExec.delete(descriptor);
  }

  /** Puts `file`, whose reference passes to the table, at `descriptor`; what was there is closed. */
  replace(descriptor: number, file: OpenFile, closeOnExec: boolean): void {
    const old = this.#files[descriptor];
    this.#put(descriptor, file, closeOnExec);
    old?.release();
  }

  /** Gives 0 or EBADF. */
  close(descriptor: number): number {
    const file = this.#files[descriptor];
    if (file === undefined) return EBADF;
    this.#files[descriptor] = undefined;
    this.#closeOnExec.delete(descriptor);
    if (descriptor < this.#lowest) this.#lowest = descriptor;
    file.release();
    return 0;
  }

  closesOnExec(descriptor: number): boolean {
    return this.#closeOnExec.has(descriptor);
  }

  setCloseOnExec(descriptor: number, value: boolean): void {
    if (value) this.#closeOnExec.add(descriptor);
    else this.#closeOnExec.delete(descriptor);
  }

  /** Closes what execve closes. */
  closeForExec(): void {
    for (const descriptor of [...this.#closeOnExec]) this.close(descriptor);
  }

  copy(): Descriptors {
    const copy = new Descriptors();
    for (const [descriptor, file] of this.open()) {
      file.acquire();
      copy.#put(descriptor, file, this.#closeOnExec.has(descriptor));
    }
    return copy;
  }

  /** Drops one user; the last one closes all. */
  release(): void {
    if (--this.references > 0) return;
    for (const [descriptor] of this.open()) this.close(descriptor);
  }
}
