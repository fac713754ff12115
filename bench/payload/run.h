/* SPDX-License-Identifier: MIT */
/*
 * One measurement: what the harness asks a client for and what the client answers. The client is the bare guest's
 * payload or a host thread; both run the very same loops (loops.h). All addresses are the client's own.
 */
#ifndef FARCALL_BENCH_RUN_H
#define FARCALL_BENCH_RUN_H

#include <farcall/abi.h>

enum bench_test {
	BENCH_TOUCH = 0,	/* write to every page of the range, so that no later loop takes a first-touch fault */
	BENCH_PING = 1,		/* one command in flight, one sample for each */
	BENCH_PIPELINE = 2,	/* `depth` commands in flight, one sample for each `chunk` events */
	BENCH_SLEEPING = 3,	/* as PING, but each command is posted to a worker that sleeps */
	BENCH_EXIT_PIO = 4,	/* VM exits to user space by port I/O, one sample for each (guest only) */
	BENCH_EXIT_MMIO = 5,	/* the same by a store to an address without memory (guest only) */
	BENCH_TIMED = 6,	/* as PING, in a channel with time stamps: a struct bench_timed for each */
	BENCH_TIMED_SLEEPING = 7, /* as SLEEPING, the same */
	BENCH_EXIT_DOORBELL = 8, /* as EXIT_MMIO, to an address at which the kernel only signals an eventfd (guest only) */
	BENCH_EXIT_CPUID = 9,	/* an instruction that the host's kernel answers by itself (guest only) */
	BENCH_TEST_COUNT
};

enum bench_error {
	BENCH_OK = 0,
	BENCH_UNKNOWN_TEST = 1,
	BENCH_TIMEOUT = 2,     /* no event, or a worker that does not go to sleep, for timeout_ticks */
	BENCH_WRONG_EVENT = 3, /* an event that carries another command's id */
	BENCH_FAILED_EVENT = 4 /* an event with a negative result; see `result` */
};

/* What both sides saw of one command: the client's counter, the host's CLOCK_MONOTONIC. */
struct bench_timed {
	fc_u64 posted;	  /* ticks, before it was written */
	fc_u64 seen;	  /* ticks, after its event was read */
	fc_u64 picked_up; /* ns; this and the next two: struct fc_event_ts */
	fc_u32 started_after;
	fc_u32 completed_after;
};

struct bench_run {
	/* in */
	fc_u32 test;
	fc_u32 count; /* commands, exits or bytes to touch */
	fc_u32 depth;
	fc_u32 chunk; /* PIPELINE: divides count */
	fc_u32 command_mask;
	fc_u32 event_mask;
	fc_u32 place_mask;    /* the command of index i uses buffer + (i & place_mask) * buffer_stride */
	fc_u32 buffer_stride;
	fc_u32 settle_ticks; /* …SLEEPING: between seeing the worker's flag and posting, so that it really sleeps */
	fc_u64 timeout_ticks; /* for one wait */
	fc_u64 header;
	fc_u64 commands;
	fc_u64 events;
	fc_u64 samples; /* fc_u32[count], or [count / chunk], ticks; TIMED…: struct bench_timed[count]; TOUCH: the range */
	fc_u64 doorbell; /* guest: address to store to; host: descriptor of an eventfd */
	fc_u64 exit_address; /* guest: where a store exits to user space */
	fc_u16 exit_port;    /* guest: an OUT here exits to user space */
	fc_u16 done_port;    /* guest: an OUT here hands the finished run back */
	struct fc_command command; /* posted again and again; id and buffer are filled in */
	/* in and out: where the rings stand, so that the next client of the same channel can go on */
	fc_u32 command_index;
	fc_u32 event_head;
	/* out */
	fc_u32 error;
	fc_s32 result; /* of the last event */
	fc_u64 ticks;  /* from the first command to the last event */
	fc_u64 doorbells;
};

#endif
