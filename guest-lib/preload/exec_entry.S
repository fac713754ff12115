/* SPDX-License-Identifier: MIT */
/* farcall-exec: its start, and what its programs' threads go through. */
	.text
	.globl _start
	.type _start, @function
_start:
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	fc_exec_main		/* rax: where the program starts, rdx: its stack */
	mov	%rdx, %rsp
	xor	%edx, %edx		/* nothing for it to call at its end */
	jmp	*%rax

	/* A thread or child that was just made, on its own stack: dispatched as its maker is. rcx: where it goes on. */
	.globl fc_child
	.type fc_child, @function
fc_child:
	lea	-128(%rsp), %rsp
	push	%rcx
	push	%rdi
	push	%rsi
	push	%rdx
	push	%r10
	push	%r8
	pushfq
	call	fc_dispatch_on
	popfq
	pop	%r8
	pop	%r10
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rcx
	lea	128(%rsp), %rsp
	mov	$0, %eax
	jmp	*%rcx

	/* prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, this image's code, its length, the selector) */
	.globl fc_dispatch_on
	.type fc_dispatch_on, @function
fc_dispatch_on:
	mov	$157, %eax
	mov	$59, %edi
	mov	$1, %esi
	mov	$__executable_start, %rdx
	mov	$etext, %r10
	sub	%rdx, %r10
	mov	$fc_selector, %r8
	syscall
	ret

	.globl fc_restore
	.type fc_restore, @function
fc_restore:
	mov	$15, %rax
	syscall

	.section .note.GNU-stack, "", @progbits
