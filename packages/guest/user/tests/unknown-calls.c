/* Numbers that no system call has give ENOSYS. */
#include "test.h"

int main(void)
{
    static const long numbers[] = {
        350, 400, 600, 999, 4095, 65536, 0x7fffffff, -1, -2, 0x40000000 + 39, 0x100000000 + 5000
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        char name[32];
        snprintf(name, sizeof(name), "call %ld", numbers[i]);
        show(name, syscall(numbers[i], 1L, 2L, 3L, 4L, 5L, 6L));
    }
    return verdict();
}
