/**
 * The PC around a processor: buses, interrupt controllers, timers, devices and boot loaders.
 *
 * @packageDocumentation
 */
export {};
