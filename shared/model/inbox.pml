/* SPDX-License-Identifier: MIT */
/*
 * When a worker may sleep: its inbox, that is Worker::post() from any thread against Worker::sleep(), and the work that it
 * makes for itself when a timer is due (host-lib/worker.cc). check.sh runs it.
 *
 * A message is a store, as a queue promises no more than release semantics (the compare-and-swap that it is on x86
 * would make the poster's fence superfluous there). A poster ends when its last message has been handled; a message
 * that lies there while the worker sleeps and nothing will wake it is an invalid end state, and so is a released command.
 */
#ifndef POSTERS
#define POSTERS 2
#endif
#ifndef MESSAGES
#define MESSAGES 2
#endif
#define ASLEEP POSTERS /* cells 0 .. POSTERS-1: messages that poster has posted */
#define CELLS (POSTERS + 1)
#define THREADS (POSTERS + 1)
#define WORKER POSTERS
#include "tso.pml"

#ifdef BREAK_POST_FENCE
#define POST_FENCE(t) skip
#else
#define POST_FENCE(t) FENCE(t)
#endif
#ifdef BREAK_SLEEP_FENCE
#define SLEEP_FENCE(t) skip
#else
#define SLEEP_FENCE(t) FENCE(t)
#endif

bool doorbell; /* eventfd */
bool inside;   /* the worker is in epoll_pwait2() */
byte handled[POSTERS];

proctype poster(byte p)
{
	byte posted;

	do
	:: posted < MESSAGES ->
		STORE(p, p, posted + 1);
		posted++;
		POST_FENCE(p);
		if
		:: LOAD(p, ASLEEP) == 0
		:: LOAD(p, ASLEEP) != 0 ->
			FENCE(p); /* write() */
#ifdef BREAK_DOORBELL_LATCH
			if
			:: inside -> doorbell = true
			:: else
			fi
#else
			doorbell = true
#endif
		fi
	:: posted == MESSAGES -> break
	od;
	handled[p] == MESSAGES
}

#define WAITS(p) (LOAD(WORKER, p) > handled[p])
#if POSTERS > 1
#define EMPTY (!WAITS(0) && !WAITS(1))
#else
#define EMPTY (!WAITS(0))
#endif

/* A timer, and a command that waits for it. */
bool due;
bool ready;    /* the command was released and has to run: Worker::ready_ */
bool released; /* it has run */

proctype timer()
{
	due = true;
	released
}

inline run_timers()
{
	if
	:: due -> due = false; ready = true
	:: else
	fi
}

/* Worker::sleep() */
inline sleep()
{
	STORE(WORKER, ASLEEP, 1);
	SLEEP_FENCE(WORKER);
	if
#ifndef BREAK_RECHECK
	:: !EMPTY
#endif
#ifdef BREAK_RECHECK
	:: true ->
#else
	:: EMPTY ->
#endif
		FENCE(WORKER); /* a system call that takes locks */
		inside = true;
end_sleep:	if
		:: doorbell -> doorbell = false
		:: due
		fi;
		inside = false
	fi;
	STORE(WORKER, ASLEEP, 0);
	run_timers()
}

#ifdef BREAK_SLEEP_AFTER_TIMERS
#define OWN_WORK false
#else
#define OWN_WORK ready
#endif

/* Rounds of Worker::loop() without a hot channel. */
proctype worker()
{
	bool busy;

	do
	:: true ->
		busy = false;
		if
		:: WAITS(0) -> handled[0]++; busy = true
#if POSTERS > 1
		:: WAITS(1) -> handled[1]++; busy = true
#endif
		:: EMPTY
		fi;
		if
		:: ready -> ready = false; released = true; busy = true
		:: else
		fi;
		if
		:: run_timers() /* look_around(): in some rounds */
		:: true
		fi;
		if
		:: busy || OWN_WORK
		:: else -> sleep()
		fi
	od
}

init
{
	atomic {
		run poster(0);
		run store_buffer(0);
#if POSTERS > 1
		run poster(1);
		run store_buffer(1);
#endif
		run timer();
		run worker();
		run store_buffer(WORKER)
	}
}
