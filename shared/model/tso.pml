/* SPDX-License-Identifier: MIT */
/*
 * Shared memory as x86 has it: each thread's stores go through a FIFO store buffer and reach memory later, one by one, at
 * any time; its own loads see them at once. So a load can overtake an older store, and only a fence forbids it.
 * The includer defines CELLS (words of shared memory) and THREADS.
 */
#define STORES 3 /* depth of a store buffer; a store waits while it is full */

byte mem[CELLS];
byte buf_at[THREADS * STORES];
byte buf_value[THREADS * STORES];
byte buf_used[THREADS];

#define STORE(t, at, value) \
	atomic { \
		buf_used[t] < STORES; \
		buf_at[(t) * STORES + buf_used[t]] = at; \
		buf_value[(t) * STORES + buf_used[t]] = value; \
		buf_used[t]++ \
	}

/* The youngest store to the cell that is still in the thread's buffer, else memory. As an expression, to be a guard. */
#define HOLDS(t, n, at) (buf_used[t] > n && buf_at[(t) * STORES + n] == (at))
#define LOAD(t, at) \
	(HOLDS(t, 2, at) -> buf_value[(t) * STORES + 2] : \
	(HOLDS(t, 1, at) -> buf_value[(t) * STORES + 1] : \
	(HOLDS(t, 0, at) -> buf_value[(t) * STORES] : mem[at])))

/* A full barrier, a locked instruction, a VM exit. */
#define FENCE(t) buf_used[t] == 0

proctype store_buffer(byte t)
{
end:	do
	:: d_step {
		buf_used[t] > 0 ->
		mem[buf_at[t * STORES]] = buf_value[t * STORES];
		buf_at[t * STORES] = buf_at[t * STORES + 1];
		buf_value[t * STORES] = buf_value[t * STORES + 1];
		buf_at[t * STORES + 1] = buf_at[t * STORES + 2];
		buf_value[t * STORES + 1] = buf_value[t * STORES + 2];
		buf_at[t * STORES + 2] = 0;
		buf_value[t * STORES + 2] = 0;
		buf_used[t]--
	   }
	od
}
