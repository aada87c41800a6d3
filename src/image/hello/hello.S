# SPDX-License-Identifier: MIT
#
# The guest of the built-in profile `hello`: a boot sector that greets on the
# serial port, echoes what is typed there, and obeys the ACPI power button.
# It does not read or write a disk, and remembers nothing.
#
# For a reader who has never seen one. At power-on the firmware (SeaBIOS) looks
# for a disk whose first 512 bytes end in 0x55 0xaa, copies those bytes to
# address 0x7c00, and jumps there. The processor is then in real mode: 16-bit
# registers, no memory protection, no operating system. `in` and `out` talk to
# devices by port number, and the interrupt table at address 0 holds one
# 4-byte address (offset, segment) per interrupt number. The syntax is that of
# GNU as: source first, `$` marks a constant, `%` a register.
#
# Between events the processor sleeps in `hlt`; an interrupt wakes it. The
# firmware's timer does so 18 times a second, the serial port when a byte comes
# in, and ACPI when the power button is pressed.

        .set    COM1, 0x3f8             # first serial port: data register
        .set    COM1_IER, COM1 + 1      # which events interrupt
        .set    COM1_LCR, COM1 + 3      # line format
        .set    COM1_MCR, COM1 + 4      # modem lines, and the gate to IRQ 4
        .set    COM1_LSR, COM1 + 5      # bit 0: a byte came in, bit 5: may send

        .set    PIC1, 0x20              # interrupt controller for IRQ 0 to 7
        .set    PIC2, 0xa0              # and for IRQ 8 to 15, chained to IRQ 2
        .set    END_OF_INTERRUPT, 0x20
        .set    IRQ4_VECTOR, 4 * 0x0c   # serial port
        .set    IRQ9_VECTOR, 4 * 0x71   # ACPI events ("SCI")
        .set    VIDEO_VECTOR, 4 * 0x10  # the firmware's screen services

        .set    PCI_ADDRESS, 0xcf8
        .set    PCI_DATA, 0xcfc
        .set    PM1_ENABLE, 2           # offsets from the base of ACPI's ports;
        .set    PM1_CONTROL, 4          # the status register is at 0
        .set    POWER_BUTTON, 1 << 8    # the same bit in status and enable
        .set    POWER_OFF, 1 << 13      # SLP_EN with SLP_TYP 0: S5 on QEMU

        .code16
        .text
        .globl  start
start:
        cli                             # interrupts are let in at `hlt` only
        cld
        ljmp    $0, $1f                 # some firmware comes in as 0x7c0:0
1:      xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $start, %sp             # the stack grows down from here

# Serial port: 8 bits, no parity, one stop bit; interrupt on each byte received.
# The speed stays as it is, nothing here travels over a wire.
        movw    $COM1_LCR, %dx
        movb    $0x03, %al
        outb    %al, %dx
        movw    $COM1_MCR, %dx
        movb    $0x0b, %al              # DTR, RTS, and OUT2: IRQ 4 connected
        outb    %al, %dx
        movw    $COM1_IER, %dx
        movb    $0x01, %al
        outb    %al, %dx

# Where are ACPI's ports? The firmware has put their base into register 0x40 of
# the power-management device: 00:1f.0 on q35 (ICH9), 00:01.3 on pc (PIIX4).
# A PCI device that is not there reads as all ones.
        movl    $0x8000f840, %eax
        call    read_pci
        jne     1f
        movl    $0x80000b40, %eax
        call    read_pci
        je      no_button               # neither: a guest without a power button
1:      andb    $0x80, %al              # the low 7 bits are flags
        movw    %ax, pm_base

# QEMU drops a press of the button unless it is enabled: so enable it before
# the greeting, which tells others that the guest listens.
        xchgw   %ax, %dx
        movw    $POWER_BUTTON, %ax
        outw    %ax, %dx                # a 1 written to the status clears it
        addw    $PM1_ENABLE, %dx
        outw    %ax, %dx
        movw    $power_off, IRQ9_VECTOR
        movw    %ds, IRQ9_VECTOR + 2
        inb     $PIC2 + 1, %al
        andb    $~(1 << 1), %al         # let IRQ 9 through
        outb    %al, $PIC2 + 1
no_button:
        movw    $serial_interrupt, IRQ4_VECTOR
        movw    %ds, IRQ4_VECTOR + 2
        inb     $PIC1 + 1, %al
        andb    $~(1 << 4 | 1 << 2), %al # IRQ 4, and the second controller
        outb    %al, $PIC1 + 1

        movw    $greeting, %si
        call    print

# The whole life of this guest. Interrupts stay off while it looks and are let
# in by `hlt` itself (`sti` takes effect one instruction later), so nothing can
# come in between the look and the sleep and be slept through.
main:
        movw    pm_base, %dx            # the power button, in case that its
        testw   %dx, %dx                # interrupt is wired elsewhere
        jz      1f
        inw     %dx, %ax
        testb   $POWER_BUTTON >> 8, %ah
        jnz     power_off
1:      movw    $COM1_LSR, %dx
        inb     %dx, %al
        testb   $0x01, %al
        jnz     echo
        sti
        hlt
        cli
        jmp     main
echo:
        movw    $COM1, %dx
        inb     %dx, %al
        call    send
        cmpb    $'\r', %al              # Enter sends a carriage return alone
        jne     main
        movb    $'\n', %al
        call    send
        jmp     main

# Reached from `main`, or as the handler of IRQ 9; it never returns.
power_off:
        movw    $goodbye, %si
        call    print
        movw    pm_base, %dx
        addw    $PM1_CONTROL, %dx
        movw    $POWER_OFF, %ax
        outw    %ax, %dx
1:      hlt
        jmp     1b

# Waking `hlt` is all that this interrupt is for.
serial_interrupt:
        pushw   %ax
        movb    $END_OF_INTERRUPT, %al
        outb    %al, $PIC1
        popw    %ax
        iret

# %eax: PCI address of a register -> %eax: its value; equal if all ones.
read_pci:
        movw    $PCI_ADDRESS, %dx
        outl    %eax, %dx
        movw    $PCI_DATA, %dx
        inl     %dx, %eax
        cmpl    $-1, %eax
        ret

# %si: text that ends in a zero byte, for the serial port and the screen.
# A video adapter's own firmware lives in segment 0xc000; without one the screen
# services are empty or lead back to the serial port, so they are left alone.
print:
        lodsb
        testb   %al, %al
        jz      1f
        call    send
        cmpw    $0xc000, VIDEO_VECTOR + 2
        jne     print
        movb    $0x0e, %ah              # write one character, as a teletype
        xorw    %bx, %bx
        int     $0x10
        jmp     print
1:      ret

# %al: byte for the serial port. The wait has an end, and the byte is dropped
# then: a reader that stopped reading must not keep the power button from
# working.
send:
        pushw   %ax
        movw    $COM1_LSR, %dx
        xorw    %cx, %cx                # 65536 looks
1:      inb     %dx, %al
        testb   $0x20, %al
        loopz   1b
        popw    %ax
        movw    $COM1, %dx
        outb    %al, %dx
        ret

pm_base:
        .word   0

greeting:
        .ascii  "hello from qlaunch\r\n"
        .asciz  "What is typed on the serial port is echoed; the power button turns this off.\r\n"
goodbye:
        .asciz  "\r\nPower button pressed. Goodbye.\r\n"

        .org    510                     # an error here: the code has outgrown
        .byte   0x55, 0xaa              # its sector
