/**
 * Instructions that are not recorded, and why. Each has a test of its own, named by `coversEncodings`.
 */

const HOST_STATE = "shows state of the host";
const SELECTORS = "its result depends on the host's descriptor tables";
const ENTERS_KERNEL = "enters the host's kernel";
const APPROXIMATE = "an approximation, whose digits differ between processors";
const IMAGE = "its image holds fields that differ between processors";

/** By mnemonic. */
export const UNRECORDED: ReadonlyMap<string, string> = new Map([
  ...["cpuid", "rdtsc", "rdtscp"].map((name) => [name, HOST_STATE] as const),
  ...["sgdt", "sidt", "sldt", "str", "smsw"].map((name) => [name, HOST_STATE] as const),
  ...["rdfsbase", "rdgsbase", "wrfsbase", "wrgsbase"].map(
    (name) => [name, "the host's kernel may have them switched off"] as const,
  ),
  ...["lar", "lsl", "verr", "verw", "lds", "les", "lfs", "lgs", "lss"].map(
    (name) => [name, SELECTORS] as const,
  ),
  ...["iret", "iretd", "iretq", "retf"].map((name) => [name, SELECTORS] as const),
  ...["syscall", "sysenter", "int", "int1", "int3", "into"].map(
    (name) => [name, ENTERS_KERNEL] as const,
  ),
  ...["fxsave", "fxsave64", "fxrstor", "fxrstor64", "fnsave", "frstor", "fnstenv", "fldenv"].map(
    (name) => [name, IMAGE] as const,
  ),
  ...["rcpps", "rcpss", "rsqrtps", "rsqrtss"].map((name) => [name, APPROXIMATE] as const),
  ...["f2xm1", "fyl2x", "fyl2xp1", "fptan", "fpatan", "fsin", "fcos", "fsincos"].map(
    (name) => [name, APPROXIMATE] as const,
  ),
  ["ringside.mark", "it is a NOP to every other processor"],
]);

/** Kinds of operands whose instructions are not recorded: their values are the host's selectors. */
export const UNRECORDED_OPERANDS: ReadonlySet<string> = new Set(["segment", "far-pointer"]);
