/**
 * Guest kernels and programs: prebuilt images and the constants of their ABI.
 *
 * @packageDocumentation
 */
export {};
