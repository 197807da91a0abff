/* The end of the machine. */
#pragma once

#define RB_POWER_OFF 0x4321fedc

int reboot(unsigned command);
