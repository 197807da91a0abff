/** Whether bits 63:47 of a linear address are alike. Intel SDM Vol. 1 §3.3.7.1, "Canonical Addressing". */
export function isCanonical(linear: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, linear)) === linear;
}
