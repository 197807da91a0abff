/* Ranges of the integer types, and the few limits of the system that programs here rely on. */
#pragma once

#define CHAR_BIT 8
#define SCHAR_MAX __SCHAR_MAX__
#define SHRT_MAX __SHRT_MAX__
#define INT_MAX __INT_MAX__
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX (INT_MAX * 2U + 1)
#define LONG_MAX __LONG_MAX__
#define LONG_MIN (-LONG_MAX - 1)
#define ULONG_MAX (LONG_MAX * 2UL + 1)

/* Bytes in a path, the final NUL included. */
#define PATH_MAX 4096
/* Writes of at most this many bytes to a pipe are never interleaved with others. */
#define PIPE_BUF 4096
