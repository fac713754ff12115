// SPDX-License-Identifier: MIT
/*
 * The bare guest's program: a client in user mode (CPL3) with no kernel under it. The monitor enters at _start with the
 * address of a struct bench_run in rdi and a stack; each write to the done port hands the finished run back, and
 * the monitor resumes behind it with the next one. Nothing here may fault: there is no one to handle it.
 */
#include "run.h"

static inline void bench_ring_doorbell(const struct bench_run *run)
{
	*(volatile fc_u32 *)(size_t)run->doorbell = 1;
}

#include "loops.h"

static inline void out32(fc_u16 port, fc_u32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* The compiler may call these for copies of structures. */
void *memcpy(void *to, const void *from, size_t bytes)
{
	void *result = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
	return result;
}

void *memset(void *to, int value, size_t bytes)
{
	void *result = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
	return result;
}

static inline void cpuid(void)
{
	fc_u32 a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
}

static inline void leave(const struct bench_run *run, fc_u32 value)
{
	switch (run->test) {
	case BENCH_EXIT_PIO:
		out32(run->exit_port, value);
		break;
	case BENCH_EXIT_MMIO:
		*(volatile fc_u32 *)(size_t)run->exit_address = value;
		break;
	case BENCH_EXIT_DOORBELL:
		bench_ring_doorbell(run);
		break;
	default:
		cpuid();
	}
}

static fc_u32 exits(struct bench_run *run)
{
	fc_u32 *samples = (fc_u32 *)(size_t)run->samples;
	fc_u32 i;

	for (i = 0; i < run->count; i++) {
		fc_u64 before = bench_ticks();

		leave(run, i);
		samples[i] = bench_sample(bench_ticks() - before);
	}
	return BENCH_OK;
}

static int is_exit(fc_u32 test)
{
	return test == BENCH_EXIT_PIO || test == BENCH_EXIT_MMIO || test == BENCH_EXIT_DOORBELL || test == BENCH_EXIT_CPUID;
}

void payload_main(struct bench_run *run)
{
	for (;;) {
		if (is_exit(run->test)) {
			fc_u64 start = bench_ticks();

			run->error = exits(run);
			run->ticks = bench_ticks() - start;
		} else {
			bench_execute(run);
		}
		out32(run->done_port, run->error);
	}
}

__asm__(".section .text.start,\"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	xorl %ebp, %ebp\n"
	"	call payload_main\n"
	"	ud2\n"
	".text\n");
