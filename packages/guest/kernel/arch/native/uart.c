/*
 * uart.c: the console, a 16550 at COM1. Input by interrupt, output by polling, 16 bytes at a time.
 */
#include "native.h"

#define PORT RINGSIDE_PORT_CONSOLE
#define DATA (PORT + 0)
#define INTERRUPT_ENABLE (PORT + 1)
#define FIFO_CONTROL (PORT + 2)
#define LINE_CONTROL (PORT + 3)
#define MODEM_CONTROL (PORT + 4)
#define LINE_STATUS (PORT + 5)

#define HAS_INPUT 0x01
#define FIFO_EMPTY 0x20
#define LINE_IDLE 0x40 /* nothing left to send, the shift register included */
#define FIFO_SIZE 16

/* What came in before the FIFOs were switched on, which empties them. */
static u8 early[16];
static usize early_start, early_end;

void uart_init(void) {
    out8(INTERRUPT_ENABLE, 0);
    out8(LINE_CONTROL, 0x80); /* divisor: 115200 baud */
    out8(DATA, 1);
    out8(INTERRUPT_ENABLE, 0);
    out8(LINE_CONTROL, 0x03); /* 8 bits, no parity, 1 stop bit */
    while (early_end < sizeof early && in8(LINE_STATUS) & HAS_INPUT) early[early_end++] = in8(DATA);
    out8(FIFO_CONTROL, 0xc1); /* FIFOs on; an interrupt for 14 bytes, or for fewer after a while */
    out8(MODEM_CONTROL, 0x0b); /* DTR, RTS, and OUT2, which lets interrupts out */
    interrupt_line_enable(LINE_CONSOLE, true);
}

void machine_console_write(const u8 *bytes, usize count) {
    while (count) {
        while (!(in8(LINE_STATUS) & FIFO_EMPTY)) continue;
        usize part = MIN(count, FIFO_SIZE);
        for (usize i = 0; i < part; i++) out8(DATA, bytes[i]);
        bytes += part;
        count -= part;
    }
}

void uart_drain(void) {
    while (!(in8(LINE_STATUS) & LINE_IDLE)) continue;
}

int machine_console_read(void) {
    if (early_start < early_end) return early[early_start++];
    return in8(LINE_STATUS) & HAS_INPUT ? in8(DATA) : -1;
}

void machine_console_listen(bool on) { out8(INTERRUPT_ENABLE, on ? 1 : 0); }
