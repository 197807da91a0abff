/**
 * The page of hypercalls, for kernels that ask for one: 128 entries of 32 bytes to call.
 *
 * Xen, xen/arch/x86/pv/hypercall.c, pv_ring3_init_hypercall_page.
 */
const IRET = 23;

export function hypercallPage(): Uint8Array {
  const page = new Uint8Array(4096).fill(0xcc);
  for (let number = 0; number < 128; number += 1) {
    const code =
      number === IRET
        ? // push rcx; push r11; push rax; mov eax, 23; syscall: iret pops them itself.
          [0x51, 0x41, 0x53, 0x50, 0xb8, IRET, 0, 0, 0, 0x0f, 0x05]
        : // push rcx; push r11; mov eax, number; syscall; pop r11; pop rcx; ret
          [0x51, 0x41, 0x53, 0xb8, number, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3];
    page.set(code, number * 32);
  }
  return page;
}
