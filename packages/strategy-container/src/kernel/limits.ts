/** Resource limits of a process. Linux, include/uapi/asm-generic/resource.h. */
export const RLIMIT_STACK = 3;
export const RLIMIT_NPROC = 6;
export const RLIMIT_NOFILE = 7;
export const RLIMIT_COUNT = 16;
/** RLIM_INFINITY, as the nearest number. */
export const INFINITE: number = 2 ** 64;
/** Most descriptors a process can have: bounds the table. */
export const MAXIMUM_DESCRIPTORS = 4096;

export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/** Limits of a first process, in the order of their numbers. */
export function initialLimits(): Limit[] {
  const unlimited = { soft: INFINITE, hard: INFINITE };
  const limits: Limit[] = Array.from({ length: RLIMIT_COUNT }, () => unlimited);
  limits[RLIMIT_STACK] = { soft: 8 * 1024 * 1024, hard: INFINITE };
  limits[4] = { soft: 0, hard: INFINITE };
  limits[8] = { soft: 8 * 1024 * 1024, hard: 8 * 1024 * 1024 };
  limits[11] = { soft: 256, hard: 256 };
  limits[12] = { soft: 819_200, hard: 819_200 };
  limits[13] = { soft: 0, hard: 0 };
  limits[14] = { soft: 0, hard: 0 };
  limits[RLIMIT_NOFILE] = { soft: 1024, hard: MAXIMUM_DESCRIPTORS };
  return limits;
}
