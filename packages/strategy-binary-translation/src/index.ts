/**
 * Full virtualization without help from the processor: binary translation, as VMware did it.
 *
 * In a nutshell: programs run directly at CPL 3; the guest's kernel never runs as it stands, but is translated on demand
 * into a cache that the processor runs at CPL 1. Both on shadow page tables.
 *
 * @packageDocumentation
 */
export { binaryTranslation, trapAndEmulate } from "./binary-translation.ts";
export { hostBytesFor } from "./binary-translation-machine.ts";
export type { SilentInstruction } from "./trap-and-emulate/sensitive-watch.ts";
export {
  demonstrationKernel,
  runTrapAndEmulate,
  type TrapAndEmulateReport,
} from "./trap-and-emulate/trap-and-emulate.ts";
export {
  TranslationListing,
  type ListedInstruction,
  type ListedLine,
  type ListedUnit,
} from "./translator/listing.ts";
