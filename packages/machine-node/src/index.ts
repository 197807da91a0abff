/**
 * What a machine's devices have behind them on a Node host.
 *
 * In a nutshell: {@link openDisk} gives the store of a virtio disk from an image file.
 *
 * @packageDocumentation
 */
export { openDisk, type FileDisk } from "./node-disk.ts";
