/** What uname says. */

/** The release is that of the Linux whose interface this is; C libraries refuse old ones. */
export const SYSTEM_NAME = "Linux";
export const SYSTEM_RELEASE = "6.1.0-ringside";
export const SYSTEM_VERSION = "#1 SMP PREEMPT_DYNAMIC";
export const MACHINE_NAME = "x86_64";
