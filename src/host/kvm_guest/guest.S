# SPDX-License-Identifier: MIT
# The guest that shows whether KVM works: firmware that goes from real mode through protected mode
# with paging to long mode, writes "works" to the first serial port, and resets the machine.
# Linked to offset 0 of segment 0xf000 (0xf0000); the reset vector's jump here is put in later.

        .set    serial, 0x3f8
        .set    tables, 0x10000         # three pages of RAM
        .set    base, 0xf0000

        .code16
        .globl  start
start:  cli
        cld
        xorl    %eax, %eax
        movw    $(tables >> 4), %ax
        movw    %ax, %es
        xorl    %eax, %eax
        xorl    %edi, %edi
        movl    $(3 * 1024), %ecx
        rep stosl
        # The first 2 MiB, mapped to themselves.
        movl    $(tables + 0x1003), %es:0x0000
        movl    $(tables + 0x2003), %es:0x1000
        movl    $0x83, %es:0x2000
        lgdtl   %cs:gdt_pointer
        movl    %cr4, %eax
        orl     $0x220, %eax            # PAE, and OSFXSR for SSE
        movl    %eax, %cr4
        movl    $tables, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       # EFER
        rdmsr
        orl     $0x100, %eax            # LME
        wrmsr
        movl    %cr0, %eax
        andl    $~0x4, %eax             # EM off
        orl     $0x80000003, %eax       # PG, MP, PE
        movl    %eax, %cr0
        ljmpl   $8, $(base + long_mode)

        .code64
long_mode:
        movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %ss
        movl    $(tables + 0x4000), %esp
        xorl    %eax, %eax
        cpuid
        # A value through RAM and a vector register.
        movq    $0x1122334455667788, %rax
        movq    %rax, %xmm0
        pushq   $0
        movq    %xmm0, (%rsp)
        popq    %rdx
        cmpq    %rdx, %rax
        jne     stop
        movl    $(base + message), %esi
print:  lodsb
        testb   %al, %al
        jz      reset
        movb    %al, %bl
ready:  movw    $(serial + 5), %dx
        inb     %dx, %al
        testb   $0x20, %al
        jz      ready
        movb    %bl, %al
        movw    $serial, %dx
        outb    %al, %dx
        jmp     print
reset:  movw    $0xcf9, %dx             # the chipset's reset control
        movb    $6, %al
        outb    %al, %dx
stop:   hlt
        jmp     stop

message:
        .asciz  "works\n"

        .balign 8
gdt:    .quad   0
        .quad   0x00209a0000000000      # 64-bit code
        .quad   0x0000920000000000      # data
gdt_pointer:
        .word   . - gdt - 1
        .long   base + gdt
