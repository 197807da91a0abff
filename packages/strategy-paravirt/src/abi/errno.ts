/** Error numbers of hypercalls, as results: negative. Xen, xen/include/public/errno.h. */
export const EPERM = -1;
export const ENOENT = -2;
export const ESRCH = -3;
export const EFAULT = -14;
export const EBUSY = -16;
export const EEXIST = -17;
export const EINVAL = -22;
export const ENOSPC = -28;
export const ENOSYS = -38;
export const ETIME = -62;
export const EOPNOTSUPP = -95;
