/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of the weighting: one weighted thread, what it had and what it was given; and what
 * weight*.c share. */
#ifndef FARCALL_WEIGHT_THREAD_H
#define FARCALL_WEIGHT_THREAD_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/types.h>

struct fc_channel;
struct fc_client;
struct fc_device;
struct fc_user;

/* What the scheduler is to be told: steps of nice on top of a thread's own, a slice (0: its own), a
 * rank (0: none). */
struct fc_share {
	int step;
	u32 slice_us;
	u32 rank;
};

/* Under client->weight.lock. */
struct fc_thread {
	struct list_head link; /* client->weight.threads */
	struct task_struct *task;
	struct fc_user *user; /* whose limit it counts against */
	unsigned int roles; /* channels that it created, and that it slept on last */
	bool waiting; /* asleep in FC_IOC_WAIT */
	u32 awaited; /* what it sleeps for: sum over channels */
	u64 cpu_ns; /* its CPU time at the last tick */

	bool weighted; /* what follows is in force */
	int set_nice;
	u32 set_slice_us; /* 0: its own */
	u32 set_rank; /* real-time priority; 0: none. Then nice and slice are as before */
	s32 error; /* of the weights given so far: see fc_weight_nice_average() */
	/* Its own, from before it was weighted. */
	int own_nice;
	u64 own_slice_ns; /* 0: the scheduler's */
	bool own_reset_on_fork;
	int own_policy; /* before it was given a rank */
	struct hlist_node fork_link; /* while weighted; under fc_fork_lock */

	/* What it has used of its ranks, whether it has one now or not. */
	u64 debt_ns;
	u64 charged_ns; /* its CPU time, when what it used was last added */
	bool overdrawn;

	/* For the view only. */
	u32 priority;
	u32 weight;
	u64 changes;
};

struct fc_thread *fc_thread_create(void); /* of the caller; NULL: over the limit, or no memory */
void fc_thread_destroy(struct fc_thread *t); /* also puts back what it had */
/* All zero: as it was. Returns whether anything changed. */
bool fc_thread_set(struct fc_thread *t, struct fc_share want);
/* In a group of its own, beyond which nice does not count. */
bool fc_thread_in_cgroup(const struct fc_thread *t);
/* What it has run with a rank since the last time becomes a debt. */
void fc_thread_charge(struct fc_thread *t);

int fc_fork_start(void);
void fc_fork_stop(void);

/* weight.c */
/* What the channel adds to its client's and its sleeper's sums. Under client->weight.lock. */
void fc_channel_look(struct fc_channel *ch);
/* idle: it sleeps, or is about to. What is awaited counts only then, and changes of nice serve
 * nobody. */
void fc_thread_weigh(struct fc_client *client, struct fc_thread *t, bool idle);
void fc_client_close(struct fc_client *client); /* under dev->weight.lock */

/* weight_tick.c */
/* Somebody may run now. Under the weight.lock of a client that is not closed: fc_weight_stop()
 * relies on it. */
void fc_weight_kick(struct fc_device *dev);
/* Looks at everybody, and returns when that is done. Not from the tick itself, nor once the device
 * is stopped. */
void fc_weight_tick_now(struct fc_device *dev);

#endif
