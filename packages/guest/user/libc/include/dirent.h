/* Reading directories. */
#pragma once
#include <sys/types.h>

#define DT_CHR 2
#define DT_DIR 4
#define DT_REG 8
#define DT_LNK 10

/* The kernel's struct linux_dirent64. */
struct dirent {
    unsigned long d_ino;
    long d_off;
    unsigned short d_reclen;
    unsigned char d_type;
    char d_name[];
};

typedef struct DIR DIR;

DIR *opendir(const char *path);
struct dirent *readdir(DIR *directory);
int closedir(DIR *directory);
/* Fills `to` with whole records; 0 at the end of the directory. */
ssize_t getdents64(int fd, void *to, size_t size);
