/** Mount namespaces: which file system is found where. */
import { EBUSY, EINVAL, ENOMEM } from "../abi/errno.ts";
import type { Inode } from "../files/inode.ts";
import { recordPrice, type ControlGroup } from "./control-group.ts";

/** A place in the tree of a mount namespace: an inode and the mount through which it was reached. */
export interface Location {
  readonly mount: Mount;
  readonly inode: Inode;
}

export interface Mount {
  /** Root of what is mounted. */
  readonly root: Inode;
  /** Where it is mounted; undefined for the root of the namespace. */
  readonly on: Location | undefined;
  /** First field of /proc/mounts. */
  readonly source: string;
  readonly type: string;
  readOnly: boolean;
  readonly id: number;
}

const MAXIMUM_MOUNTS = 1000;

export class MountNamespace {
  /** Processes that are in it. */
  references = 1;
  readonly root: Mount;
  readonly #mounts: Mount[];
  readonly #byInode = new Map<Inode, Mount[]>();
  readonly #group: ControlGroup;
  #nextId = 21;

  constructor(root: Inode, source: string, type: string, group: ControlGroup) {
    this.#group = group;
    this.root = { root, on: undefined, source, type, readOnly: false, id: this.#nextId++ };
    this.#mounts = [this.root];
    root.acquire();
  }

  get mounts(): readonly Mount[] {
    return this.#mounts;
  }

  /** What is mounted on top of `location`, or `location` itself. */
  cross(location: Location): Location {
    let at = location;
    for (;;) {
      const mount = this.#byInode.get(at.inode)?.findLast(({ on }) => on?.mount === at.mount);
      if (mount === undefined) return at;
      at = { mount, inode: mount.root };
    }
  }

  /** Mounts `root` on `on`. Gives 0 or ENOMEM. */
  mount(root: Inode, on: Location, source: string, type: string): number {
    if (this.#mounts.length >= MAXIMUM_MOUNTS || !this.#group.chargeRecord(recordPrice.mount)) {
      return ENOMEM;
    }
    const mount: Mount = { root, on, source, type, readOnly: false, id: this.#nextId++ };
    root.acquire();
    on.inode.acquire();
    this.#mounts.push(mount);
    const here = this.#byInode.get(on.inode);
    if (here === undefined) this.#byInode.set(on.inode, [mount]);
    else here.push(mount);
    return 0;
  }

  /** Unmounts. Gives 0, EINVAL (the namespace's root) or EBUSY (something is mounted below it). */
  unmount(mount: Mount): number {
    const { on } = mount;
    if (on === undefined) return EINVAL;
    if (this.#mounts.some((other) => other.on?.mount === mount)) return EBUSY;
    this.#mounts.splice(this.#mounts.indexOf(mount), 1);
    const here = this.#byInode.get(on.inode);
    here?.splice(here.indexOf(mount), 1);
    if (here?.length === 0) this.#byInode.delete(on.inode);
    this.#group.unchargeRecord(recordPrice.mount);
    mount.root.release();
    on.inode.release();
    return 0;
  }

  /** A process leaves; with the last one all mounts go. */
  release(): void {
    if (--this.references > 0) return;
    for (const mount of this.#mounts) {
      mount.root.release();
      if (mount.on === undefined) continue;
      mount.on.inode.release();
      this.#group.unchargeRecord(recordPrice.mount);
    }
    this.#mounts.length = 0;
    this.#byInode.clear();
  }

  /** Whether something is mounted on this inode, which then cannot be removed or renamed. */
  isMountPoint(inode: Inode): boolean {
    return this.#byInode.has(inode);
  }

  /** A namespace with the same mounts (unshare and clone with CLONE_NEWNS), and how places translate into it. */
  copy(): { namespace: MountNamespace; translate: (location: Location) => Location } {
    const { root, source, type } = this.root;
    const namespace = new MountNamespace(root, source, type, this.#group);
    const copies = new Map<Mount, Mount>([[this.root, namespace.root]]);
    const translate = (location: Location): Location => ({
      inode: location.inode,
      mount: copies.get(location.mount) ?? namespace.root,
    });
    for (const mount of this.#mounts) {
      if (mount.on === undefined) continue;
      if (namespace.mount(mount.root, translate(mount.on), mount.source, mount.type) !== 0) break;
      const copy = namespace.mounts.at(-1);
      if (copy !== undefined) {
        copy.readOnly = mount.readOnly;
        copies.set(mount, copy);
      }
    }
    return { namespace, translate };
  }
}
