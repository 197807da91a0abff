/*
 * power.c: the debug console and the port that ends the machine.
 */
#include "native.h"

void machine_log(const char *bytes, usize count) { out_string(RINGSIDE_PORT_DEBUG_CONSOLE, bytes, count); }

_Noreturn void machine_power_off(u32 value) {
    uart_drain(); /* what the console still holds would be lost with the machine */
    out32(RINGSIDE_PORT_EXIT, value);
    for (;;) __asm__ volatile("cli; hlt"); /* no such port here */
}
