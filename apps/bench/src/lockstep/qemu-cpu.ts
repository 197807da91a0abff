/** A processor of ours as QEMU names one, so that both sides of a comparison say the same of themselves. */
import type { ProcessorProfile } from "@ringside/isa";

/** What QEMU's translator never has: arch_capabilities only tells of absent faults. */
const unknownToQemu: ReadonlySet<string> = new Set(["arch_capabilities"]);

/** As `-cpu` of QEMU takes it: nothing, and each of the profile's features. */
export function qemuCpu(profile: ProcessorProfile): string {
  const { vendor, family, model, stepping, brand, physicalAddressBits, features } = profile;
  const identity = `vendor=${vendor},family=${family},model=${model},stepping=${stepping},model-id=${brand}`;
  const flags = [...features]
    .filter((feature) => !unknownToQemu.has(feature))
    .map((feature) => `+${feature.replaceAll("_", "-")}`);
  return `base,${identity},phys-bits=${physicalAddressBits},level=7,xlevel=0x80000008,${flags.join(",")}`;
}
