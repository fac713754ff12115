/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event-priority weighting: what a process's events are worth, told to the guest's scheduler.
 *
 * A process is weighted by the priorities of its activated and unconsumed events: those that lie in
 * its event rings (the ring says which: each event has its priority), plus what the process says
 * that it has taken from there and not handled yet (taken_priority). Nobody enters the kernel when
 * an event is activated or consumed, so the rings are looked at every FC_WEIGHT_INTERVAL, and
 * whenever a thread goes to sleep on a channel. A sleeping thread is weighted by what it waits for
 * (awaited_priority), and so *before* it is woken: the scheduler decides at the wake-up who runs,
 * and a weight that comes with it comes too late.
 *
 * The threads that are weighted are those that created a channel or slept on one.
 *
 * Nothing of it outlives its reason. What a thread had before (nice, slice, reset-on-fork) is put
 * back when its events are consumed, when it leaves its channels, when it gets another memory
 * (exec), when the policy becomes "none" and when the device goes. A child starts with what its
 * parent had before: reset-on-fork sees to it that no boost gets away by a fork, fc_fork_probe()
 * that nothing else does.
 *
 * The policy "urgent" also lends a real-time rank to who sleeps for an event: it then runs before
 * all others when it comes, as long as it does not use more than a share of the CPU's time. See
 * weight_math.h.
 *
 * Limits, since every process may open the device: the boost is capped (max_boost), and so is how
 * many threads one user may have weighted (max_weighted); a storm of events lowers no process by
 * more than max_penalty. No privilege lifts them. The looking itself costs a tenth of a CPU at
 * most, however many channels there are.
 *
 * Locks, outer first: dev->weight.lock, client->weight.lock, client->lock. The first two are held
 * around calls into the scheduler, which may take the cpusets' lock, which is held around
 * mmap_lock: so they must never be taken under mmap_lock. (client->lock may.)
 */
#ifndef FARCALL_WEIGHT_H
#define FARCALL_WEIGHT_H

#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct fc_channel;
struct fc_client;
struct fc_device;
struct fc_thread;
struct seq_file;

/* Under its lock. */
struct fc_client_weight {
	struct mutex lock;
	struct list_head link; /* dev->weight.clients; under dev->weight.lock */
	struct list_head threads;
	bool closed; /* no thread joins any more, channels need not leave */
	u32 activated; /* sum over its channels */
	u32 applied; /* `activated` that all threads were weighted by */
	u32 rate; /* its events per slice, FC_LOAD_ONE */
	u32 consumed; /* in the interval under way */
	bool passed_over; /* by the last tick, so that what was consumed since is of no known time
			   */
	u64 refused; /* threads that were over their user's limit */
};

/* Under client->weight.lock. */
struct fc_channel_weight {
	struct fc_thread *creator;
	struct fc_thread *sleeper; /* that last slept here */
	bool left;
	u32 event_head; /* when consumption was last measured */
	u32 activated; /* share of the client's */
	u32 awaited; /* share of the sleeper's */
};

struct fc_device_weight {
	struct kthread_worker *worker; /* runs the tick */
	struct kthread_delayed_work tick;
	struct mutex lock;
	struct list_head clients;
	bool stopped;
	u64 urgent; /* weight of all urgent threads at the last tick */
	atomic_t load; /* average, FC_LOAD_ONE */
	unsigned long interval; /* jiffies to the next tick */
	unsigned long least; /* what it may be at best, by what a tick costs */
	u64 measured; /* when, ns */
	u64 ticks;
};

void fc_weight_init(struct fc_device *dev);
int fc_weight_start(struct fc_device *dev);
/* Everybody gets back what was theirs, and nobody is weighted any more. */
void fc_weight_stop(struct fc_device *dev);

void fc_weight_client_init(struct fc_client *client);
/* The process leaves the client. Not under mmap_lock. */
void fc_weight_client_close(struct fc_client *client);

/* The caller has created the channel. */
void fc_weight_join(struct fc_channel *ch);
/* The caller is about to sleep on the channel; waits: right there, until fc_weight_woken(). */
void fc_weight_sleep(struct fc_channel *ch, bool waits);
void fc_weight_woken(struct fc_channel *ch);
/* The channel goes away. */
void fc_weight_leave(struct fc_channel *ch);

/* weight_show.c */
int fc_weight_show(struct seq_file *m, void *unused);

#endif
