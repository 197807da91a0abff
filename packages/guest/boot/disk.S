/*
 * disk.S: a boot sector for machines that start from disks alone, such as Bochs.
 *
 * The disk holds memory as a boot loader would leave it, in pieces. The sector copies each piece to
 * its place through the BIOS, switches to 32-bit protected mode and enters the kernel as PVH says:
 * flat segments, paging off, interrupts off, EBX = physical address of hvm_start_info.
 *
 *   sector 0   this file
 *   sector 1   u32 EIP, u32 EBX, then pieces { u32 physical address, u32 sectors }; 0 sectors ends them
 *   sector 2   the pieces' bytes, one behind the other
 *
 * Taken while it runs, so in no piece: the page at 0x7000 (stack, this code, the table) and 64 KiB
 * from 0x10000 (what was read and not yet copied).
 */

    .set TABLE, 0x7e00
    .set BUFFER, 0x10000
    .set CHUNK_SECTORS, 64

    .code16
    .globl start
start:
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $start, %sp
    ljmp $0, $1f                /* Some BIOSes come here as 07c0:0000. */
1:  sti
    cld
    mov %dl, drive              /* The BIOS says in DL where it started from. */
    call read                   /* The packet is for the table as it stands. */
    movw $0, packet_offset
    movw $BUFFER >> 4, packet_segment
    mov $TABLE + 8, %di

next_piece:
    cmpl $0, 4(%di)
    je enter
next_chunk:
    mov $CHUNK_SECTORS, %eax
    cmp %eax, 4(%di)
    ja 1f
    mov 4(%di), %eax
1:  mov %ax, packet_sectors
    call read
    mov (%di), %edx
    mov %dx, target_low
    mov %edx, %ecx
    shr $16, %ecx
    mov %cl, target_middle
    mov %ch, target_high
    movzwl packet_sectors, %eax
    mov %ax, %cx
    shl $8, %cx                 /* Sectors to 16-bit words. */
    mov $descriptors, %si
    mov $0x87, %ah              /* Copies extended memory. */
    int $0x15
    jc fail
    movzwl packet_sectors, %eax
    sub %eax, 4(%di)
    shl $9, %eax
    add %eax, (%di)
    cmpl $0, 4(%di)
    jne next_chunk
    add $8, %di
    jmp next_piece

/* Reads packet_sectors sectors at packet_lba, and moves packet_lba behind them. */
read:
    mov drive, %dl
    mov $packet, %si
    mov $0x42, %ah              /* Extended read: by sector number. */
    int $0x13
    jc fail
    movzwl packet_sectors, %eax
    add %eax, packet_lba
    ret

fail:
    mov $message, %si
1:  lodsb
    test %al, %al
    jz 2f
    mov $0x0e, %ah              /* Teletype output. */
    xor %bx, %bx
    int $0x10
    jmp 1b
2:  cli
    hlt
    jmp 2b

enter:
    cli
    in $0x92, %al               /* The copying BIOS may leave address line 20 off. */
    or $2, %al
    and $0xfe, %al              /* Bit 0 would reset the machine. */
    out %al, $0x92
    lgdt gdt_register
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmp $0x08, $protected

    .code32
protected:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov TABLE + 4, %ebx
    jmp *TABLE

/* What INT 13h, AH = 42h is given; first for the table. */
    .balign 4
packet:
    .byte 16, 0
packet_sectors:
    .word 1
packet_offset:
    .word TABLE
packet_segment:
    .word 0
packet_lba:
    .quad 1

/* What INT 15h, AH = 87h is given: null, one that it fills in, source, target, two that it fills in. */
    .balign 8
descriptors:
    .quad 0
    .quad 0
    .word 0xffff, BUFFER & 0xffff
    .byte BUFFER >> 16, 0x93, 0, 0
    .word 0xffff
target_low:
    .word 0
target_middle:
    .byte 0, 0x93, 0
target_high:
    .byte 0
    .quad 0
    .quad 0

gdt:
    .quad 0
    .quad 0x00cf9b000000ffff    /* 0x08: flat code, 32 bits */
    .quad 0x00cf93000000ffff    /* 0x10: flat data */
gdt_register:
    .word gdt_register - gdt - 1
    .long gdt

drive:
    .byte 0
message:
    .asciz "The disk cannot be read."

    .org 510
    .word 0xaa55

    .section .note.GNU-stack, "", @progbits
