/**
 * Full virtualization without help from the processor: binary translation, as VMware did it.
 *
 * In a nutshell: programs run directly at CPL 3; the guest's kernel never runs as it stands, but is translated on demand
 * into a cache that the processor runs at CPL 1. Both on shadow page tables.
 *
 * @packageDocumentation
 */
export { binaryTranslation } from "./binary-translation.ts";
export {
  TranslationListing,
  type ListedInstruction,
  type ListedLine,
  type ListedUnit,
} from "./translator/listing.ts";
