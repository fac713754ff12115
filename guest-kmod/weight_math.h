/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of event-priority weighting. No kernel in it: tests/weight_math_test.cc compiles
 *it too.
 *
 *	srt_priority(P) = sum of the priorities of P's activated events
 *	weight(P)	= srt_base + srt_priority(P)
 *	srt_base	= max(floor, C - decay(load))
 *	load		= events per process per time slice, averaged
 *	time_slice(P)	= min(weight(P), C) / C of the full slice
 *
 * Weights are in the scheduler's own unit, in which a task of nice 0 has 1024 = C: a process
 *without events on a quiet system runs as if there were no weighting. All processes of one interval
 *share one base, so srt_priority(P1) < srt_priority(P2) implies weight(P1) < weight(P2).
 */
#ifndef FARCALL_WEIGHT_MATH_H
#define FARCALL_WEIGHT_MATH_H

#include <farcall/abi.h>

#define FC_WEIGHT_BASE_MAX 1024u /* C */
#define FC_WEIGHT_UNIT                                                                             \
	32u /* weight of one event of priority 1; priority 255 is worth ten steps of nice */
#define FC_PRIORITY_MAX 65535u /* srt_priority saturates here */
#define FC_LOAD_ONE 256u /* fixed point: one event per process per slice */
#define FC_LOAD_FULL (512u * FC_LOAD_ONE) /* the load that takes the whole base away */
#define FC_SLICE_FULL_US 20000u
#define FC_SLICE_HANDLER_US 500u /* of a handler that weighs C; less than EEVDF's own */
#define FC_SLICE_MIN_US 100u /* the scheduler's own limit */
#define FC_NICE_MIN (-20)
#define FC_NICE_MAX 19

/* What the Linux scheduler gives to a nice value: each step is a factor of 1.25. */
static inline fc_u32 fc_nice_weight(int nice)
{
	static const fc_u32 weights[] = {
		88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
		9548,  7620,  6100,  4904,  3906,  3121,  2501,	 1991,	1586,  1277,
		1024,  820,   655,   526,   423,   335,	  272,	 215,	172,   137,
		110,   87,    70,    56,    45,	   36,	  29,	 23,	18,    15,
	};

	return weights[nice - FC_NICE_MIN];
}

/* Events in elapsed_us of `processes`, as events per process per slice. */
static inline fc_u32 fc_load_sample(fc_u32 events, fc_u32 processes, fc_u64 elapsed_us)
{
	fc_u64 sample = (fc_u64)events * FC_LOAD_ONE * FC_SLICE_FULL_US;

	sample /= (processes ? processes : 1) * (elapsed_us ? elapsed_us : 1);
	return sample > FC_LOAD_FULL ? FC_LOAD_FULL : (fc_u32)sample;
}

/* Moves an eighth of the way, and at least one step, so that it comes back to where it was. */
static inline fc_u32 fc_load_update(fc_u32 average, fc_u32 sample)
{
	fc_u32 step;

	if (sample >= average) {
		step = (sample - average) / 8;
		return average + (step || sample == average ? step : 1);
	}
	step = (average - sample) / 8;
	return average - (step ? step : 1);
}

/* Not below the weight of nice max_penalty. */
static inline fc_u32 fc_weight_base(fc_u32 load, int max_penalty)
{
	fc_u32 floor = fc_nice_weight(max_penalty);
	fc_u32 lost = load < FC_LOAD_FULL ?
			      (fc_u32)((fc_u64)load * FC_WEIGHT_BASE_MAX / FC_LOAD_FULL) :
			      FC_WEIGHT_BASE_MAX;

	return FC_WEIGHT_BASE_MAX - lost > floor ? FC_WEIGHT_BASE_MAX - lost : floor;
}

static inline fc_u32 fc_priority_add(fc_u32 sum, fc_u32 priority)
{
	return priority > FC_PRIORITY_MAX - sum ? FC_PRIORITY_MAX : sum + priority;
}

/* Not above the weight of nice -max_boost. */
static inline fc_u32 fc_weight_of(fc_u32 base, fc_u32 priority, int max_boost)
{
	fc_u32 most = fc_nice_weight(-max_boost);
	fc_u32 weight = base + priority * FC_WEIGHT_UNIT;

	return weight < most ? weight : most;
}

/* The nice value whose weight is the nearest. */
static inline int fc_weight_nice(fc_u32 weight)
{
	int nice = FC_NICE_MIN;

	while (nice < FC_NICE_MAX && weight < (fc_nice_weight(nice) + fc_nice_weight(nice + 1)) / 2)
		nice++;
	return nice;
}

/*
 * Nice is a coarse measure: a step is a quarter. A thread that is weighted interval after interval
 * changes between the two neighbours so that their average is its weight; *error is what it has
 * been given too little of so far.
 */
static inline int fc_weight_nice_average(fc_u32 weight, fc_s32 *error)
{
	fc_s32 limit = (fc_s32)(weight / 4);
	fc_s32 target = (fc_s32)weight + *error;
	int nice = fc_weight_nice(target > 0 ? (fc_u32)target : 0);

	*error = target - (fc_s32)fc_nice_weight(nice);
	if (*error > limit)
		*error = limit;
	if (*error < -limit)
		*error = -limit;
	return nice;
}

/*
 * Urgency: a rank among those who run before everybody who has none, for who sleeps for an event.
 * It is a loan: the CPU time that is spent with it is a debt, paid back by a share of all time;
 * nobody has it who owes more than a full slice, until half of that is paid.
 */
#define FC_URGENT_DEBT_MAX_NS ((fc_u64)FC_SLICE_FULL_US * 1000u)
#define FC_URGENT_PERCENT_MAX 90u

/* The heavier, the higher: by a step of nice each. */
static inline fc_u32 fc_urgent_rank(fc_u32 weight)
{
	int nice = fc_weight_nice(weight);

	return nice < 0 ? (fc_u32)-nice : 1;
}

/* What is still owed: `percent` of the time that has passed is there to pay back, divided among all
 * urgent ones by weight. */
static inline fc_u64 fc_urgent_pay(fc_u64 debt_ns, fc_u64 elapsed_us, fc_u32 percent, fc_u32 weight,
				   fc_u64 all_weights)
{
	fc_u64 paid;

	/* Beyond that everything is paid in any case; no product overflows. */
	if (elapsed_us > 10u * 1000u * 1000u)
		elapsed_us = 10u * 1000u * 1000u;
	paid = elapsed_us * 10u * percent; /* 1000 ns, 100 per cent */
	if (weight < all_weights)
		paid = paid * weight / all_weights;
	return debt_ns > paid ? debt_ns - paid : 0;
}

/* Whether there is credit: `had` says whether there was. */
static inline bool fc_urgent_credit(fc_u64 debt_ns, bool had)
{
	return debt_ns <= (had ? FC_URGENT_DEBT_MAX_NS : FC_URGENT_DEBT_MAX_NS / 2);
}

/* The formula's time slice. */
static inline fc_u32 fc_slice_of(fc_u32 weight)
{
	fc_u32 part = weight < FC_WEIGHT_BASE_MAX ? weight : FC_WEIGHT_BASE_MAX;
	fc_u32 slice = (fc_u32)((fc_u64)part * FC_SLICE_FULL_US / FC_WEIGHT_BASE_MAX);

	return slice > FC_SLICE_MIN_US ? slice : FC_SLICE_MIN_US;
}

/*
 * The slice of who has events: the heavier, the shorter. EEVDF lets a waking task preempt one with
 * a longer slice, and runs next whose slice ends first; a long slice would make a handler wait
 * (weight(P) decides how much it gets either way). In steps of nice, since the scheduler queues a
 * task anew for each change.
 */
static inline fc_u32 fc_slice_of_handler(fc_u32 weight)
{
	fc_u32 slice =
		FC_SLICE_HANDLER_US * FC_WEIGHT_BASE_MAX / fc_nice_weight(fc_weight_nice(weight));

	if (slice > FC_SLICE_HANDLER_US)
		slice = FC_SLICE_HANDLER_US;
	return slice > FC_SLICE_MIN_US ? slice : FC_SLICE_MIN_US;
}

#endif
