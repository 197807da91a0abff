/** What can be delivered, and the constants that delivery is called with. */

/**
 * Origin of an event. It decides the EXT bit of error codes, whether the gate's DPL is checked, and RF in the saved
 * flags. Intel SDM Vol. 3A §6.13, "Error Code".
 */
export const EVENT = {
  /** INTR or NMI. */
  EXTERNAL: 0,
  /** INT n, INT3 and INTO: the gate's DPL is checked, and EXT is 0. */
  SOFTWARE: 1,
  /** INT1: like a hardware exception without RF in the saved flags. */
  PRIVILEGED_SOFTWARE: 2,
  /** A fault, trap or abort that an instruction met. Faults save RF = 1, so that a breakpoint does not hit twice. */
  EXCEPTION: 3,
} as const;

/** DR6.BS: the debug exception is a single step. Intel SDM Vol. 3B §18.2.3, "Debug Status Register (DR6)". */
export const DR6_SINGLE_STEP = 0x4000n;
/** DR7.GD: accesses to debug registers are debug exceptions. The processor clears it when it enters their handler. */
export const DR7_GENERAL_DETECT = 0x2000n;
/** DR6.BD: the debug exception is an access to a debug register under DR7.GD. */
export const DR6_GENERAL_DETECT = 0x2000n;
