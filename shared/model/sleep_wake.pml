/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking in both directions: clients, one worker, the guest's interrupt handler. See shared/PROTOCOL.md,
 * "Sleeping"; check.sh runs this file in all its variants.
 *
 * A client wants COMMANDS events for as many commands. It sleeps as one of
 *   SLEEP_WAIT   FC_IOC_WAIT of farcall.ko, where a cleared client_armed is the latch
 *   SLEEP_POLL   poll() or epoll of farcall.ko, which arms by itself
 *   SLEEP_SOCKET ppoll() on the local transport's socket, which is the latch
 *   ONE_WAY      not at all: no events, it waits until its commands have been taken; small enough for two channels, which
 *                share the worker's doorbell
 *
 * Properties: a client that still waits for an event while nothing can happen any more is an invalid end state (lost
 * wake-up, deadlock). Assertions: events come once and in order, no event slot is overwritten, a client that keeps its
 * commands below its event slots never stalls for credit, and no index of an honest client looks like a lie.
 *
 * What is left out: the contents of commands and events, and who executes them (each completes at once; the way
 * back from the blocking pool is inbox.pml). Spinning is there as the freedom not to sleep.
 *
 * Options: CHANNELS, COMMANDS, TIMEOUTS (of a sleep, per client), OVERPOST (more commands than event slots), CLOSE (the
 * host closes the channel at some time). Each BREAK_* takes one piece out of the protocol and must make the model fail.
 */
#ifndef CHANNELS
#define CHANNELS 1
#endif
#ifndef COMMANDS
#define COMMANDS 3
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 1
#endif
#define COMMAND_SLOTS 2
#ifdef OVERPOST
#define EVENT_SLOTS 1
#define IN_FLIGHT COMMAND_SLOTS
#else
#define EVENT_SLOTS 2
#define IN_FLIGHT EVENT_SLOTS
#endif

/* Shared memory of channel c. A command is its seq; an event is its seq. */
#define CHANNEL_CELLS (6 + COMMAND_SLOTS + EVENT_SLOTS - 1)
#define BASE(c) ((c) * CHANNEL_CELLS)
#define COMMAND_TAIL(c) (BASE(c))
#define EVENT_HEAD(c) (BASE(c) + 1)
#define WORKER_ARMED(c) (BASE(c) + 2)
#define CLIENT_ARMED(c) (BASE(c) + 3)
#define STATUS(c) (BASE(c) + 4)
#define COMMAND(c, index) (BASE(c) + 5 + (index) % COMMAND_SLOTS)
#define EVENT(c, index) (BASE(c) + 5 + COMMAND_SLOTS + (index) % EVENT_SLOTS)

#define CELLS (CHANNELS * CHANNEL_CELLS)
#define THREADS (CHANNELS + 1)
#define WORKER CHANNELS
#include "tso.pml"

/* Barriers that variants take out. */
#ifdef BREAK_POST_FENCE
#define POST_FENCE(t) skip
#else
#define POST_FENCE(t) FENCE(t)
#endif
#ifdef BREAK_READ_FENCE
#define READ_FENCE(t) skip
#else
#define READ_FENCE(t) FENCE(t)
#endif
#ifdef BREAK_WORKER_ARM_FENCE
#define WORKER_ARM_FENCE(t) skip
#else
#define WORKER_ARM_FENCE(t) FENCE(t)
#endif
#ifdef BREAK_CLIENT_ARM_FENCE
#define CLIENT_ARM_FENCE(t) skip
#else
#define CLIENT_ARM_FENCE(t) FENCE(t)
#endif
#ifdef BREAK_INTERRUPT_FENCE
#define INTERRUPT_FENCE(t) skip
#else
#define INTERRUPT_FENCE(t) FENCE(t)
#endif

/* Doorbells: an eventfd of the worker, or one socket for each channel. Full or empty: counts add up, reads clear. */
bool bell[CHANNELS];
#ifdef SLEEP_SOCKET
#define BELL(c) bell[c]
#else
#define BELL(c) bell[0]
#endif
#ifdef ONE_WAY
byte taken[CHANNELS];
#endif

bool raised[CHANNELS]; /* the irqfd, or the client's end of the socket */
bool queued[CHANNELS]; /* the client is in its channel's wait queue */
bool woken[CHANNELS];  /* wake_up() was called since it last looked */
byte done[CHANNELS];   /* events read, for the assertions */
bool asleep;           /* the worker is inside epoll_pwait2() */

/* --- client ------------------------------------------------------------------------------------------------------- */

inline ring_if_armed()
{
	if
	:: LOAD(c, WORKER_ARMED(c)) == 0
	:: LOAD(c, WORKER_ARMED(c)) != 0 ->
		FENCE(c); /* a VM exit or a system call */
#ifdef BREAK_DOORBELL_LATCH
		if
		:: asleep -> BELL(c) = true
		:: else
		fi
#else
		BELL(c) = true
#endif
	fi
}

inline post()
{
	STORE(c, COMMAND(c, posted), posted + 1);
	posted++;
	if
	:: true -> /* farcall_submit(): one more before the announcement */
		if
		:: posted < COMMANDS && posted - done[c] < IN_FLIGHT ->
			STORE(c, COMMAND(c, posted), posted + 1);
			posted++
		:: else
		fi
	:: true
	fi;
	STORE(c, COMMAND_TAIL(c), posted);
	POST_FENCE(c);
	ring_if_armed()
}

#define EVENT_WAITS(c) (LOAD(c, EVENT(c, done[c])) == done[c] + 1)

inline read_event()
{
	assert(LOAD(c, EVENT(c, done[c])) <= done[c] + 1);
	done[c]++;
	STORE(c, EVENT_HEAD(c), done[c]);
#if defined(OVERPOST) && !defined(BREAK_CREDIT_RING)
	READ_FENCE(c);
	ring_if_armed()
#endif
}

/* fc_channel_woken() of farcall.ko. */
#ifdef BREAK_LATCH
#define DISARMED(t) false
#else
#define DISARMED(t) (LOAD(t, CLIENT_ARMED(c)) == 0)
#endif
#define PENDING(t) (LOAD(t, EVENT(c, done[c])) == done[c] + 1)
#define WOKEN(t) (DISARMED(t) || PENDING(t) || LOAD(t, STATUS(c)) != 0)

inline sleep_in_wait()
{
#ifdef BREAK_WAIT_ORDER
	/* The condition is looked at, and only then does the sleeper queue itself. */
	if
	:: WOKEN(c)
	:: !WOKEN(c) ->
		FENCE(c);
		queued[c] = true;
		if
		:: woken[c]
		:: timeouts < TIMEOUTS -> timeouts++
		fi
	fi;
#else
	FENCE(c); /* locks of the wait queue */
	queued[c] = true;
	do
	:: WOKEN(c) -> break
	:: !WOKEN(c) ->
		if
		:: woken[c] -> woken[c] = false
		:: timeouts < TIMEOUTS -> timeouts++; break
		fi
	od;
#endif
	atomic { queued[c] = false; woken[c] = false }
}

/* Arms anew each time that it looks. */
inline sleep_in_poll()
{
	FENCE(c);
	queued[c] = true;
	do
	:: true ->
		woken[c] = false;
		STORE(c, CLIENT_ARMED(c), 1);
		CLIENT_ARM_FENCE(c);
		if
		:: PENDING(c) || LOAD(c, STATUS(c)) != 0 -> break
		:: else ->
			FENCE(c); /* locks */
			if
			:: woken[c]
			:: timeouts < TIMEOUTS -> timeouts++; break
			fi
		fi
	od;
	atomic { queued[c] = false; woken[c] = false }
}

inline sleep_on_socket()
{
	FENCE(c); /* locks */
	if
	:: raised[c] -> raised[c] = false /* ppoll(), then recv() until the socket is empty */
	:: timeouts < TIMEOUTS -> timeouts++
	fi
}

/* farcall_wait(): arm, look once more, sleep, disarm. */
inline wait()
{
#ifdef SLEEP_POLL
	sleep_in_poll();
	if
	:: LOAD(c, STATUS(c)) != 0 && !EVENT_WAITS(c) -> dead = true
	:: else
	fi
#else
	STORE(c, CLIENT_ARMED(c), 1);
	CLIENT_ARM_FENCE(c);
	if
#ifndef BREAK_CLIENT_RECHECK
	:: EVENT_WAITS(c)
#endif
#ifdef BREAK_CLIENT_RECHECK
	:: true ->
#else
	:: !EVENT_WAITS(c) ->
#endif
		if
		:: LOAD(c, STATUS(c)) != 0 -> dead = true
		:: LOAD(c, STATUS(c)) == 0 ->
#ifdef SLEEP_SOCKET
			sleep_on_socket()
#else
			sleep_in_wait()
#endif
		fi
	fi;
	STORE(c, CLIENT_ARMED(c), 0);
	if
	:: dead && EVENT_WAITS(c) -> dead = false /* an event came right before the status */
	:: else
	fi
#endif
}

#ifdef ONE_WAY
proctype client(byte c)
{
	byte posted;

	do
	:: done[c] == COMMANDS -> break
	:: posted < COMMANDS && posted - done[c] < IN_FLIGHT -> post()
	:: taken[c] > done[c] -> done[c]++
	od
}
#else
proctype client(byte c)
{
	byte posted, timeouts;
	bool dead;

	do
	:: done[c] == COMMANDS || dead -> break
	:: !dead && posted < COMMANDS && posted - done[c] < IN_FLIGHT -> post()
	:: !dead && EVENT_WAITS(c) -> read_event()
	:: !dead && posted > done[c] -> wait()
	od;
	assert(done[c] == COMMANDS || LOAD(c, STATUS(c)) != 0)
}
#endif

/* --- farcall.ko's interrupt handler, on some other CPU -------------------------------------------------------------- */

proctype handler(byte c)
{
end:	do
	:: raised[c] ->
		raised[c] = false;
		if
		:: !queued[c]
		:: queued[c] ->
			if
			:: mem[STATUS(c)] != 0 -> woken[c] = true
#ifndef BREAK_LATCH
			:: mem[CLIENT_ARMED(c)] == 0 -> woken[c] = true
#endif
			:: mem[EVENT(c, mem[EVENT_HEAD(c)])] == mem[EVENT_HEAD(c)] + 1 -> woken[c] = true
			:: else
			fi
		fi
	od
}

/* --- worker ------------------------------------------------------------------------------------------------------- */

#define READY(c) (LOAD(WORKER, COMMAND(c, head[c])) == head[c] + 1)
#define HAS_NEWS(c) (READY(c) || LOAD(WORKER, COMMAND_TAIL(c)) != head[c])

/* Channel::interrupt() */
inline interrupt(c)
{
#ifdef BREAK_CLEAR_FIRST
	FENCE(WORKER);
	raised[c] = true;
	STORE(WORKER, CLIENT_ARMED(c), 0)
#else
	STORE(WORKER, CLIENT_ARMED(c), 0);
	FENCE(WORKER); /* write() */
	raised[c] = true
#endif
}

/* Channel::flush() */
inline flush(c)
{
	INTERRUPT_FENCE(WORKER);
	if
	:: LOAD(WORKER, CLIENT_ARMED(c)) == 0
	:: LOAD(WORKER, CLIENT_ARMED(c)) != 0 -> interrupt(c)
	fi;
	dirty[c] = false
}

/* Channel::refresh_credit() */
inline refresh_credit(c)
{
	atomic {
		limit[c] = LOAD(WORKER, EVENT_HEAD(c)) + EVENT_SLOTS;
		assert(limit[c] <= head[c] + EVENT_SLOTS)
	}
}

/* Client::serve(): takes a command and completes it. */
inline serve(c)
{
#ifdef ONE_WAY
	head[c]++;
	taken[c] = head[c]
#else
	if
	:: head[c] == limit[c] -> refresh_credit(c)
	:: else
	fi;
	if
	:: head[c] == limit[c] ->
#ifdef OVERPOST
		skip
#else
		assert(false)
#endif
	:: else ->
		assert(head[c] - done[c] < EVENT_SLOTS);
		head[c]++;
		STORE(WORKER, EVENT(c, head[c] - 1), head[c]);
		dirty[c] = true
	fi
#endif
}

/*
 * Else the channel is poisoned. The tail follows the commands' seq, so it may lag behind what was taken, by no more than
 * the client publishes before it announces.
 */
#ifdef BREAK_TAIL_LAG
#define TAIL_PLAUSIBLE(tail, head) (tail >= head && tail <= head + COMMAND_SLOTS)
#else
#define TAIL_PLAUSIBLE(tail, head) (tail + COMMAND_SLOTS >= head && tail <= head + COMMAND_SLOTS)
#endif

/* Channel::arm() */
inline arm(c)
{
	STORE(WORKER, WORKER_ARMED(c), 1);
	WORKER_ARM_FENCE(WORKER);
	assert(TAIL_PLAUSIBLE(LOAD(WORKER, COMMAND_TAIL(c)), head[c]));
	if
#ifndef BREAK_WORKER_RECHECK
	:: READY(c) ->
#if !defined(BREAK_CREDIT_RECHECK) && !defined(ONE_WAY)
		if
		:: head[c] == limit[c] -> refresh_credit(c)
		:: else
		fi;
#endif
		if
#ifndef ONE_WAY
		:: head[c] == limit[c] -> hot[c] = false
#endif
		:: else -> STORE(WORKER, WORKER_ARMED(c), 0)
		fi
	:: !READY(c) -> hot[c] = false
#else
	:: true -> hot[c] = false
#endif
	fi
}

inline warm_if_news(c)
{
	if
	:: !hot[c] && HAS_NEWS(c) -> STORE(WORKER, WORKER_ARMED(c), 0); hot[c] = true
	:: else
	fi
}

/* Worker::on_epoll(): what rang is read, then the channels are looked at. */
inline answer_doorbell(b)
{
#ifndef BREAK_READ_BEFORE_SCAN
	bell[b] = false;
#endif
#ifdef SLEEP_SOCKET
	warm_if_news(b);
#else
	warm_if_news(0);
#if CHANNELS > 1
#ifdef BREAK_SCAN_ALL
	if
	:: hot[0] -> skip
	:: else -> warm_if_news(1)
	fi;
#else
	warm_if_news(1);
#endif
#endif
#endif
#ifdef BREAK_READ_BEFORE_SCAN
	bell[b] = false
#else
	skip
#endif
}

#ifdef CLOSE
/* Channel::close(): the status, and an interrupt whether the client is armed or not. */
inline close(c)
{
	STORE(WORKER, STATUS(c), 1);
	closed = true;
	hot[c] = false;
#ifdef BREAK_CLOSE_ALWAYS_RAISES
	if
	:: LOAD(WORKER, CLIENT_ARMED(c)) == 0
	:: LOAD(WORKER, CLIENT_ARMED(c)) != 0 -> interrupt(c)
	fi
#else
	interrupt(c)
#endif
}
#endif

#ifdef CLOSE
#define OPEN !closed
#else
#define OPEN true
#endif
#if CHANNELS > 1
#define ALL_COLD (!hot[0] && !hot[1])
#else
#define ALL_COLD (!hot[0])
#endif

/* One turn of Worker::loop() for a hot channel: serve it, deliver its events, or stop polling it. */
#define POLL(c) \
	:: hot[c] && READY(c) && OPEN -> serve(c) \
	:: dirty[c] -> flush(c) \
	:: hot[c] && !dirty[c] && OPEN -> arm(c)

proctype worker()
{
	byte head[CHANNELS], limit[CHANNELS];
	bool hot[CHANNELS], dirty[CHANNELS];
#ifdef CLOSE
	bool closed;
#endif

	atomic {
		limit[0] = EVENT_SLOTS;
		hot[0] = true;
#if CHANNELS > 1
		limit[1] = EVENT_SLOTS;
		hot[1] = true
#endif
	}
end:	do
	POLL(0)
#if CHANNELS > 1
	POLL(1)
#endif
	/* Busy, and it looks around; or nothing is hot, and it sleeps until something rings. */
	:: bell[0] && !asleep && OPEN -> answer_doorbell(0)
#if CHANNELS > 1 && defined(SLEEP_SOCKET)
	:: bell[1] && !asleep && OPEN -> answer_doorbell(1)
#endif
#ifdef BREAK_DOORBELL_LATCH
	:: ALL_COLD && !asleep -> asleep = true
	:: asleep && bell[0] -> asleep = false
#endif
#ifdef CLOSE
	:: OPEN && !dirty[0] -> close(0)
#endif
	od
}

init
{
	atomic {
		run client(0);
		run store_buffer(0);
#if !defined(SLEEP_SOCKET) && !defined(ONE_WAY)
		run handler(0);
#endif
#if CHANNELS > 1
		run client(1);
		run store_buffer(1);
#if !defined(SLEEP_SOCKET) && !defined(ONE_WAY)
		run handler(1);
#endif
#endif
		run worker();
		run store_buffer(WORKER)
	}
}
