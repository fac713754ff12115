/* SPDX-License-Identifier: MIT */
/*
 * The client loops of the bench, freestanding C and C++. The includer defines before including:
 *   static inline void bench_ring_doorbell(const struct bench_run *run);
 */
#ifndef FARCALL_BENCH_LOOPS_H
#define FARCALL_BENCH_LOOPS_H

#include <farcall/ring.h>

#include "run.h"

#define BENCH_SPINS_PER_TIMEOUT_CHECK 4096u
#define BENCH_PAGE 4096u

/* lfence: the load that ended the wait must be done before the clock is read. */
static inline fc_u64 bench_ticks(void)
{
	fc_u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return ((fc_u64)hi << 32) | lo;
}

static inline void bench_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline fc_u32 bench_sample(fc_u64 ticks)
{
	return ticks > 0xffffffffu ? 0xffffffffu : (fc_u32)ticks;
}

static inline struct fc_ring_header *bench_header(const struct bench_run *run)
{
	return (struct fc_ring_header *)(size_t)run->header;
}

static inline int bench_read_event(const struct bench_run *run, fc_u32 head, struct fc_event *event)
{
	return fc_event_read(fc_event_slot((void *)(size_t)run->events, run->event_mask, sizeof(*event), head), head,
			     event);
}

/* Returns 1 once in a while, when the wait that began at `start` has lasted too long. */
static inline int bench_timed_out(const struct bench_run *run, fc_u64 start, fc_u32 *spins)
{
	bench_pause();
	if (++*spins % BENCH_SPINS_PER_TIMEOUT_CHECK != 0)
		return 0;
	return bench_ticks() - start > run->timeout_ticks;
}

static inline void bench_post(const struct bench_run *run, struct fc_command *command, fc_u32 index)
{
	command->id = index;
	command->buffer = run->command.buffer + (fc_u64)(index & run->place_mask) * run->buffer_stride;
	fc_command_publish((struct fc_command *)(size_t)run->commands, run->command_mask, index, command);
}

static inline void bench_announce(struct bench_run *run, fc_u32 tail)
{
	if (fc_doorbell_needed(bench_header(run), tail)) {
		run->doorbells++;
		bench_ring_doorbell(run);
	}
}

static inline fc_u32 bench_check_event(struct bench_run *run, const struct fc_event *event)
{
	run->result = event->result;
	return event->result < 0 ? BENCH_FAILED_EVENT : BENCH_OK;
}

/* Posts one command and waits for its event, which must be its own. */
static inline fc_u32 bench_round_trip(struct bench_run *run, struct fc_command *command)
{
	struct fc_event event;
	fc_u32 spins = 0;
	fc_u64 start = 0;

	bench_post(run, command, run->command_index);
	run->command_index++;
	bench_announce(run, run->command_index);
	while (!bench_read_event(run, run->event_head, &event)) {
		if (spins == 0)
			start = bench_ticks();
		if (bench_timed_out(run, start, &spins))
			return BENCH_TIMEOUT;
	}
	run->event_head++;
	fc_store_relaxed(&bench_header(run)->event_head, run->event_head);
	if (event.id != command->id)
		return BENCH_WRONG_EVENT;
	return bench_check_event(run, &event);
}

static inline fc_u32 bench_ping(struct bench_run *run)
{
	fc_u32 *samples = (fc_u32 *)(size_t)run->samples;
	struct fc_command command = run->command;
	fc_u64 before = bench_ticks();
	fc_u32 error, i;

	for (i = 0; i < run->count; i++) {
		fc_u64 now;

		error = bench_round_trip(run, &command);
		if (error != BENCH_OK)
			return error;
		now = bench_ticks();
		samples[i] = bench_sample(now - before);
		before = now;
	}
	return BENCH_OK;
}

/* Takes all events that are there, at most `limit`. Returns their number, or sets run->error. */
static inline fc_u32 bench_reap(struct bench_run *run, fc_u32 limit)
{
	struct fc_event event;
	fc_u32 reaped = 0;

	while (reaped < limit && bench_read_event(run, run->event_head + reaped, &event)) {
		reaped++;
		if (bench_check_event(run, &event) != BENCH_OK)
			run->error = BENCH_FAILED_EVENT;
	}
	if (reaped != 0) {
		run->event_head += reaped;
		fc_store_relaxed(&bench_header(run)->event_head, run->event_head);
	}
	return reaped;
}

/* Tops the pipeline up and announces all new commands at once. Returns how many there were. */
static inline fc_u32 bench_fill(struct bench_run *run, struct fc_command *command, fc_u32 room)
{
	fc_u32 i;

	for (i = 0; i < room; i++)
		bench_post(run, command, run->command_index++);
	if (room != 0)
		bench_announce(run, run->command_index);
	return room;
}

static inline fc_u32 bench_pipeline(struct bench_run *run)
{
	fc_u32 *samples = (fc_u32 *)(size_t)run->samples;
	struct fc_command command = run->command;
	fc_u32 posted = 0, done = 0, next = run->chunk, spins = 0;
	fc_u64 before = bench_ticks(), idle_since = 0;

	while (done < run->count && run->error == BENCH_OK) {
		fc_u32 room = run->depth - (posted - done), left = run->count - posted, reaped;

		posted += bench_fill(run, &command, room < left ? room : left);
		reaped = bench_reap(run, posted - done);
		done += reaped;
		if (reaped != 0)
			spins = 0;
		else if (spins == 0)
			idle_since = bench_ticks();
		if (reaped == 0 && bench_timed_out(run, idle_since, &spins))
			return BENCH_TIMEOUT;
		if (done >= next) {
			fc_u64 now = bench_ticks();

			*samples++ = bench_sample(now - before);
			before = now;
			next += run->chunk;
		}
	}
	return run->error;
}

/* Until the worker sleeps, and really does. */
static inline fc_u32 bench_let_sleep(const struct bench_run *run)
{
	fc_u64 start = bench_ticks();
	fc_u32 spins = 0;

	while (fc_load_relaxed(&bench_header(run)->worker_armed) == 0)
		if (bench_timed_out(run, start, &spins))
			return BENCH_TIMEOUT;
	start = bench_ticks();
	while (bench_ticks() - start < run->settle_ticks)
		bench_pause();
	return BENCH_OK;
}

static inline fc_u32 bench_sleeping(struct bench_run *run)
{
	fc_u32 *samples = (fc_u32 *)(size_t)run->samples;
	struct fc_command command = run->command;
	fc_u32 error, i;

	for (i = 0; i < run->count; i++) {
		fc_u64 start;

		error = bench_let_sleep(run);
		if (error != BENCH_OK)
			return error;
		start = bench_ticks();
		error = bench_round_trip(run, &command);
		if (error != BENCH_OK)
			return error;
		samples[i] = bench_sample(bench_ticks() - start);
	}
	return BENCH_OK;
}

/* bench_round_trip() in a channel with time stamps. */
static inline fc_u32 bench_timed_trip(struct bench_run *run, struct fc_command *command, struct bench_timed *timed)
{
	const struct fc_event_ts *slot = (const struct fc_event_ts *)fc_event_slot(
		(void *)(size_t)run->events, run->event_mask, sizeof(*slot), run->event_head);
	struct fc_event event;
	fc_u32 spins = 0;

	timed->posted = bench_ticks();
	bench_post(run, command, run->command_index);
	run->command_index++;
	bench_announce(run, run->command_index);
	while (!fc_event_read(&slot->event, run->event_head, &event))
		if (bench_timed_out(run, timed->posted, &spins))
			return BENCH_TIMEOUT;
	timed->seen = bench_ticks();
	timed->picked_up = fc_load_relaxed(&slot->picked_up);
	timed->started_after = fc_load_relaxed(&slot->started_after);
	timed->completed_after = fc_load_relaxed(&slot->completed_after);
	run->event_head++;
	fc_store_relaxed(&bench_header(run)->event_head, run->event_head);
	if (event.id != command->id)
		return BENCH_WRONG_EVENT;
	return bench_check_event(run, &event);
}

static inline fc_u32 bench_time(struct bench_run *run)
{
	struct bench_timed *samples = (struct bench_timed *)(size_t)run->samples;
	struct fc_command command = run->command;
	fc_u32 error = BENCH_OK, i;

	for (i = 0; i < run->count && error == BENCH_OK; i++) {
		if (run->test == BENCH_TIMED_SLEEPING)
			error = bench_let_sleep(run);
		if (error == BENCH_OK)
			error = bench_timed_trip(run, &command, &samples[i]);
	}
	return error;
}

static inline fc_u32 bench_touch(struct bench_run *run)
{
	fc_u8 *bytes = (fc_u8 *)(size_t)run->samples;
	fc_u32 i;

	/* Adds 0: a write that changes nothing, also where the other side writes at the same time. */
	for (i = 0; i < run->count; i += BENCH_PAGE)
		__atomic_fetch_add(&bytes[i], (fc_u8)0, __ATOMIC_RELAXED);
	return BENCH_OK;
}

/* Runs the ring tests; BENCH_UNKNOWN_TEST for all others. Fills everything of *run that is marked `out`. */
static inline void bench_execute(struct bench_run *run)
{
	fc_u64 start = bench_ticks();

	run->error = BENCH_OK;
	run->result = 0;
	run->doorbells = 0;
	switch (run->test) {
	case BENCH_TOUCH:
		run->error = bench_touch(run);
		break;
	case BENCH_PING:
		run->error = bench_ping(run);
		break;
	case BENCH_PIPELINE:
		run->error = bench_pipeline(run);
		break;
	case BENCH_SLEEPING:
		run->error = bench_sleeping(run);
		break;
	case BENCH_TIMED:
	case BENCH_TIMED_SLEEPING:
		run->error = bench_time(run);
		break;
	default:
		run->error = BENCH_UNKNOWN_TEST;
	}
	run->ticks = bench_ticks() - start;
}

#endif
