/**
 * The x86-64 processor and the memory it addresses.
 *
 * @packageDocumentation
 */
export {};
