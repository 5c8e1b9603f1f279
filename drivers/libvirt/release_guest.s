# The guest of release_guest.py: the first sector of a disk, which SeaBIOS starts. It sends one frame from a RealTek 8139,
# again and again for half a minute, and powers off. The frame stands 128 bytes from the beginning, its length before it.
#
#   as --32 -o guest.o release_guest.s && ld -m elf_i386 --oformat binary -Ttext 0x7c00 -o guest.bin guest.o
    .code16
    .globl _start
    .set FRAME, 0x7c00 + 0x80
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    movw $0xb102, %ax        # PCI BIOS: find the device
    movw $0x8139, %cx
    movw $0x10ec, %dx
    xorw %si, %si
    int $0x1a
    jc off
    movw $0xb10c, %ax        # its command register: I/O ports and bus mastering on
    movw $5, %cx
    movw $4, %di
    int $0x1a
    movw $0xb109, %ax        # where its I/O ports are
    movw $0x10, %di
    int $0x1a
    andw $0xfffc, %cx
    movw %cx, %bp
    leaw 0x37(%bp), %dx      # command: reset, and wait for its end
    movb $0x10, %al
    outb %al, %dx
1:  inb %dx, %al
    testb $0x10, %al
    jnz 1b
    movb $4, %al             # the transmitter on
    outb %al, %dx
    movw $60, %bx            # so many times
    xorw %si, %si            # the first of the card's four descriptors; it takes them in turn
again:
    leaw 0x20(%bp,%si), %dx  # where the frame is, and its length, which sends it
    movl $FRAME, %eax
    outl %eax, %dx
    leaw 0x10(%bp,%si), %dx
    xorl %eax, %eax
    movw FRAME - 2, %ax
    outl %eax, %dx
    addw $4, %si
    andw $0xc, %si
    pushaw
    movb $0x86, %ah          # half a second goes by
    movw $7, %cx
    movw $0xa120, %dx
    sti
    int $0x15
    popaw
    decw %bx
    jnz again
off:
    movw $0x604, %dx         # power off
    movw $0x2000, %ax
    outw %ax, %dx
    hlt
    jmp off
