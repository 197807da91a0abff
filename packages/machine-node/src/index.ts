/**
 * What a machine's devices have behind them on a Node host.
 *
 * In a nutshell: {@link openDisk} gives the store of a virtio disk from an image file, {@link openFolder} what a share shows, {@link nodeSockets} what a
 * `UserNetwork` needs to reach the world.
 *
 * @packageDocumentation
 */
export { openDisk, type FileDisk } from "./node-disk.ts";
export { nodeSockets } from "./node-sockets.ts";
export { openFolder, type FolderOptions } from "./node-folder.ts";
