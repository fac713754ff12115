/* SPDX-License-Identifier: MIT */
/*
 * The way from a patched site into the library and back. Everything that the kernel keeps over a system call is kept: all
 * registers but rax, rcx and r11, the flags, the red zone below the stack pointer; vector registers are never touched (the
 * whole library is built without them).
 *
 * A site jumps to its slot (see slot.h), which looks into fc_filter by the call's number and, when nobody wants to see the
 * call, executes it there and then with the program's own stack and registers: clone, vfork, exit and sigreturn need no more.
 */

/* ---- slots of objects within 2 GiB of this library -------------------------------------------------------------------- */
	.section .text.fc_slots, "ax", @progbits
	.balign 4096
	.globl fc_slots
	.hidden fc_slots
	.type fc_slots, @function
fc_slots:
	/*
	 * For unwinders (pthread_cancel, exceptions out of signal handlers, debuggers): a slot is like an interrupted moment at
	 * its site, with the same stack and registers. The address where the program goes on is the slot's last word.
	 */
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa rsp, 0
	.cfi_return_column rip
	/* DW_CFA_expression rip: DW_OP_breg16 0; DW_OP_const1s -128; DW_OP_and; DW_OP_plus_uconst 120 */
	.cfi_escape 0x10, 16, 7, 0x80, 0x00, 0x09, 0x80, 0x1a, 0x23, 0x78
	.fill 262144, 1, 0xcc
	.cfi_endproc
	.size fc_slots, . - fc_slots

/* The program's registers and stack, up to rcx, which has where it goes on. */
	.macro give_back
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	pop	%rbp
	.cfi_restore rbp
	.cfi_def_cfa rsp, 144
	popfq
	.cfi_adjust_cfa_offset -8
	pop	%rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	lea	128(%rsp), %rsp
	.cfi_adjust_cfa_offset -128
	.endm

/* ---- a call that the library looks at ----------------------------------------------------------------------------------- */
	.text
	.globl fc_entry
	.hidden fc_entry
	.type fc_entry, @function
/* rcx: where the slot goes on; just before it lies the slot's own system call instruction. r11 is free. */
fc_entry:
	.cfi_startproc simple
	.cfi_def_cfa rsp, 0
	.cfi_return_column rip
	.cfi_register rip, rcx
	lea	-128(%rsp), %rsp
	.cfi_adjust_cfa_offset 128
	push	%rcx
	.cfi_adjust_cfa_offset 8
	.cfi_offset rip, -136
	pushfq
	.cfi_adjust_cfa_offset 8
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset rbp, -152
	mov	%rsp, %rbp
	.cfi_def_cfa_register rbp
	/* struct Call, from its end */
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rax
	sub	$16, %rsp
	mov	%rsp, %rdi
	and	$-16, %rsp
	cld
	call	fc_before
	lea	-72(%rbp), %rcx		/* the struct Call */
	cmp	$1, %eax
	jb	.Lpass
	je	.Ldone
	/* watched: the call is made here, so that its result can be looked at */
	mov	16(%rcx), %rax
	mov	24(%rcx), %rdi
	mov	32(%rcx), %rsi
	mov	40(%rcx), %rdx
	mov	48(%rcx), %r10
	mov	56(%rcx), %r8
	mov	64(%rcx), %r9
	syscall
	lea	-72(%rbp), %rdi
	mov	%rax, (%rdi)
	call	fc_after
.Ldone:	/* the call has been made */
	.cfi_remember_state
	lea	-72(%rbp), %rsp
	pop	%rax
	pop	%rcx
	pop	%rcx
	give_back
	jmp	*%rcx
.Lpass:	/* the slot makes the call, on the program's own stack */
	.cfi_restore_state
	lea	-56(%rbp), %rsp
	pop	%rax
	give_back
	lea	-2(%rcx), %rcx
	jmp	*%rcx
	.cfi_endproc
	.size fc_entry, . - fc_entry

	.section .note.GNU-stack, "", @progbits
