/* SPDX-License-Identifier: MIT */
/*
 * Events with several waiters, and waiters with several events (host-lib/event_graph.h, client*.cc): whatever ends a
 * command first, it completes exactly once, its waiters are released once, and nothing is touched after it is gone.
 * check.sh runs it.
 *
 * One worker owns two clients. A posts J, which runs in the blocking pool; U, a user event; W, which waits for any of J and
 * U and then runs in the pool too; and N, which waits for J and may get the node that W left. B posts F, which waits for
 * J. What races: the pool's threads, which post messages to the worker, against cancels, a deadline, and the end of either
 * client, in every order. The worker itself is one thread, so each of its steps is atomic.
 */
#define J 0
#define U 1
#define W 2
#define N 3
#define F 4
#define COMMANDS 5

#define FREE 0
#define PARKED 1
#define READY 2
#define RUNNING 3
#define USER 4

/* Nodes: J, U and F have their own (of the same number), W and N share one. */
#define NODE(c) ((c) == N -> W : (c))
byte state[COMMANDS];
byte generation[COMMANDS];
byte holder[COMMANDS]; /* the command that has the node */
bool waiting[COMMANDS];

byte events[COMMANDS];
bool posted[COMMANDS];

bool over_j, over_u;	   /* their IDs are settled */
byte edge_jw, edge_jn, edge_jf, edge_uw; /* generation of the waiter's node, 0: no edge */
byte timer_w;		   /* generation of the node that W's deadline is for, 0: none */
bool dying, gone_a, gone_b;
byte running, live;

chan pool = [3] of { byte };  /* nodes whose op may block */
chan inbox = [3] of { byte }; /* nodes whose job is back: no generation, a running node is never freed */
chan ready = [6] of { byte, byte };

#ifdef BREAK_RELEASE_REF
#define NAMES(n, g) true
#else
#define NAMES(n, g) (generation[n] == (g))
#endif

inline take(c)
{
	holder[NODE(c)] = c;
	generation[NODE(c)]++;
	posted[c] = true;
	if
	:: c != F -> live++
	:: else
	fi
}

/* EventGraph::release() for one edge. F is in another client's graph: that may be gone. */
inline release(n, edge)
{
	if
#ifndef BREAK_FOREIGN_LOOKUP
	:: edge != 0 && n == F && gone_b
#endif
#ifdef BREAK_FOREIGN_LOOKUP
	:: edge != 0 ->
		assert(!(n == F && gone_b));
#else
	:: edge != 0 && !(n == F && gone_b) ->
#endif
		if
		:: NAMES(n, edge) && state[n] == PARKED && waiting[n] ->
			waiting[n] = false;
			state[n] = READY;
			ready!n, generation[n]
		:: else
		fi
	:: edge == 0
	fi;
	edge = 0
}

/* Client::finish() */
inline complete(n)
{
	assert(!(n != F && gone_a));
	events[holder[n]]++;
	assert(events[holder[n]] == 1);
	state[n] = FREE;
	waiting[n] = false;
	if
	:: n != F -> live--
	:: else
	fi;
#ifndef BREAK_TIMER_REF
	if
	:: timer_w == generation[n] && n == W -> timer_w = 0
	:: else
	fi;
#endif
	if
	:: n == J -> over_j = true; release(W, edge_jw); release(W, edge_jn); release(F, edge_jf)
	:: n == U -> over_u = true; release(W, edge_uw)
	:: else
	fi
}

inline run_in_pool(n)
{
	state[n] = RUNNING;
	running++;
	pool!n
}

/* Cancel by ID, by handle, of all; a deadline. A running command is left alone. */
inline cancel(n)
{
	if
#ifdef BREAK_CANCEL_RUNNING
	:: state[n] != FREE -> complete(n)
#else
	:: state[n] != FREE && state[n] != RUNNING -> complete(n)
#endif
	:: else
	fi
}

proctype pool_thread()
{
	byte n;

end:	do
	:: pool?n -> inbox!n
	od
}

proctype worker()
{
	byte n, g;
	bool set_u, cancelled_u, cancelled_w, cancelled_j, ended;

	atomic {
		take(J); run_in_pool(J);
		take(U); state[U] = USER;
		take(W); state[W] = PARKED; waiting[W] = true;
		edge_jw = generation[W]; edge_uw = generation[W]; timer_w = generation[W];
		take(F); state[F] = PARKED; waiting[F] = true; edge_jf = generation[F]
	}
	do
	/* FileJob::run() */
	:: atomic { inbox?n ->
		assert(!(n != F && gone_a));
		running--;
		complete(n) }
	/* Client::run_ready() */
	:: atomic { ready?n, g ->
		if
		:: n == F && !gone_b && NAMES(n, g) && state[n] == READY -> complete(F)
#ifdef BREAK_READY_REF
		:: n == W && !gone_a -> run_in_pool(W)
#else
		:: n == W && !gone_a && generation[n] == g && state[n] == READY ->
			assert(holder[W] == W || over_j); /* not before what it waits for */
			run_in_pool(W)
#endif
		:: else
		fi }
	/* Commands of A, each at any time. */
	:: atomic { !dying && !set_u -> set_u = true;
		if
		:: state[U] == USER -> complete(U)
		:: else
		fi }
	:: atomic { !dying && !cancelled_u -> cancelled_u = true; cancel(U) }
	:: atomic { !dying && !cancelled_w -> cancelled_w = true; cancel(W) }
	:: atomic { !dying && !cancelled_j -> cancelled_j = true; cancel(J) }
	:: atomic { !dying && !posted[N] && state[W] == FREE ->
		take(N);
		if
		:: over_j -> run_in_pool(W)
		:: else -> state[W] = PARKED; waiting[W] = true; edge_jn = generation[W]
		fi }
	/* W's deadline */
	:: atomic { timer_w != 0 && !gone_a ->
		if
		:: state[W] != RUNNING -> assert(state[W] != FREE && holder[W] == W); complete(W)
		:: else
		fi;
		timer_w = 0 }
	/* The end of A: Client::destroy(); what is detached, here W and N, goes on for a while. */
	:: atomic { !dying -> dying = true;
		cancel(U)
#ifndef DETACHED
		; cancel(W)
#endif
		}
	:: atomic { dying && !ended -> ended = true; cancel(W) }
	/* Worker::reap() */
#ifdef BREAK_REAP_RUNNING
	:: atomic { dying && !gone_a && live == running -> gone_a = true }
#else
#ifdef BREAK_REAP_LIVE
	:: atomic { dying && !gone_a && running == 0 -> gone_a = true }
#else
	:: atomic { dying && !gone_a && running == 0 && live == 0 -> gone_a = true }
#endif
#endif
	/* The end of B */
	:: atomic { !gone_b -> cancel(F); gone_b = true }
	:: atomic { gone_a && gone_b && empty(inbox) && empty(pool) && empty(ready) -> break }
	od;
	n = 0;
	do
	:: n < COMMANDS -> assert(events[n] == posted[n]); n++
	:: n == COMMANDS -> break
	od
}

init
{
	atomic {
		run pool_thread();
		run pool_thread();
		run worker()
	}
}
