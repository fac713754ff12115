// SPDX-License-Identifier: GPL-2.0-only
/* What the scheduler is told about one thread, and how that is undone. See weight.h. */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <uapi/linux/sched/types.h>

#include "farcall.h"
#include "weight_math.h"
#include "weight_policy.h"
#include "weight_thread.h"

/*
 * Children start with what their parent has in force. The scheduler's own reset-on-fork takes a
 * negative nice and a slice off them, at one moment under its locks, so that no boost escapes. What
 * is left, a parent's penalty and a nice of its own that is negative, is set right here, before the
 * child runs.
 */
static DEFINE_HASHTABLE(fc_fork_table, 6);
static DEFINE_SPINLOCK(fc_fork_lock);
static struct tracepoint *fc_fork_tracepoint;

static void fc_fork_watch(struct fc_thread *t)
{
	spin_lock(&fc_fork_lock);
	hash_add(fc_fork_table, &t->fork_link, (unsigned long)t->task);
	spin_unlock(&fc_fork_lock);
}

static void fc_fork_forget(struct fc_thread *t)
{
	spin_lock(&fc_fork_lock);
	hash_del(&t->fork_link);
	spin_unlock(&fc_fork_lock);
}

/* Preemption is off, the child is not on a run queue yet. */
static void fc_fork_probe(void *unused, struct task_struct *parent, struct task_struct *child)
{
	struct fc_thread *t;
	bool found = false;
	int nice = 0;

	spin_lock(&fc_fork_lock);
	hash_for_each_possible(fc_fork_table, t, fork_link, (unsigned long)parent)
	{
		if (t->task != parent)
			continue;
		nice = READ_ONCE(t->own_nice);
		found = true;
	}
	spin_unlock(&fc_fork_lock);
	if (found)
		set_user_nice(child, nice);
}

static void fc_fork_find(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "sched_process_fork"))
		fc_fork_tracepoint = tp;
}

int fc_fork_start(void)
{
	for_each_kernel_tracepoint(fc_fork_find, NULL);
	return fc_fork_tracepoint ?
		       tracepoint_probe_register(fc_fork_tracepoint, (void *)fc_fork_probe, NULL) :
		       -ENOENT;
}

void fc_fork_stop(void)
{
	tracepoint_probe_unregister(fc_fork_tracepoint, (void *)fc_fork_probe, NULL);
	tracepoint_synchronize_unregister();
}

static u64 fc_task_slice(const struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return task->se.custom_slice ? task->se.slice : 0;
#else
	return 0;
#endif
}

static bool fc_policy_fair(int policy)
{
	return policy == SCHED_NORMAL || policy == SCHED_BATCH;
}

/*
 * All of it in one step. May sleep. What somebody sets just between our look at it and the call is
 * undone, as between any two callers of sched_setattr(). Of a real-time policy nice and slice stay
 * as they are.
 */
static bool fc_task_setattr(struct task_struct *task, int policy, u32 rank, int nice, u64 slice_ns,
			    bool reset_on_fork)
{
	const struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = policy,
		.sched_priority = rank,
		.sched_nice = nice,
		.sched_flags = reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0,
		.sched_runtime = slice_ns,
	};

	return !sched_setattr_nocheck(task, &attr);
}

/* It has the rank that we gave it, or a lower one, which takes no right. A higher one is somebody's
 * who has the right. */
static bool fc_thread_ranked(const struct fc_thread *t)
{
	return t->set_rank && t->task->policy == SCHED_FIFO && t->task->rt_priority <= t->set_rank;
}

bool fc_thread_in_cgroup(const struct fc_thread *t)
{
	bool nested = false;

#ifdef CONFIG_CGROUP_SCHED
	rcu_read_lock();
	nested = task_css(t->task, cpu_cgrp_id)->parent;
	rcu_read_unlock();
#endif
	return nested;
}

void fc_thread_charge(struct fc_thread *t)
{
	u64 now = READ_ONCE(t->task->se.sum_exec_runtime);

	if (t->set_rank)
		t->debt_ns += now - t->charged_ns;
	t->charged_ns = now;
}

struct fc_thread *fc_thread_create(void)
{
	struct fc_thread *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	t->user = fc_user_take(current_uid());
	if (!t->user) {
		kfree(t);
		return NULL;
	}
	t->task = get_task_struct(current);
	t->charged_ns = READ_ONCE(current->se.sum_exec_runtime);
	INIT_HLIST_NODE(&t->fork_link);
	return t;
}

void fc_thread_destroy(struct fc_thread *t)
{
	fc_thread_set(t, (struct fc_share){});
	put_task_struct(t->task);
	fc_user_put(t->user);
	kfree(t);
}

/*
 * Somebody may have changed the nice that we set. Lowering it takes a right, and so is meant.
 * Raising it takes none: a boosted thread that "raises" its nice to one that is still better than
 * its own would otherwise keep that.
 */
static void fc_thread_follow(struct fc_thread *t)
{
	int now = task_nice(t->task);

	if (now != t->set_nice && (now < t->set_nice || now > t->own_nice))
		WRITE_ONCE(t->own_nice, now);
	t->set_nice = now;
}

static bool fc_thread_restore(struct fc_thread *t)
{
	struct task_struct *task = t->task;
	int policy = fc_thread_ranked(t) ? t->own_policy : task->policy;
	bool fair = fc_policy_fair(policy);

	fc_thread_charge(t);
	fc_thread_follow(t);
	/* A deadline cannot be set again in this way; its nice can. */
	if (task->policy == SCHED_DEADLINE ||
	    !fc_task_setattr(task, policy, fair ? 0 : task->rt_priority, t->own_nice,
			     fair ? t->own_slice_ns : 0, t->own_reset_on_fork))
		set_user_nice(task, t->own_nice);
	fc_fork_forget(t);
	t->weighted = false;
	t->set_slice_us = 0;
	t->set_rank = 0;
	return true;
}

/* Remembers what it has. Nothing is in force yet. */
static void fc_thread_begin(struct fc_thread *t)
{
	struct task_struct *task = t->task;

	t->own_nice = task_nice(task);
	t->own_slice_ns = fc_task_slice(task);
	t->own_reset_on_fork = task->sched_reset_on_fork;
	t->set_nice = t->own_nice;
	fc_fork_watch(t);
}

static bool fc_thread_rank(struct fc_thread *t, u32 rank)
{
	bool ranked = fc_thread_ranked(t);

	if (ranked && t->task->rt_priority == rank)
		return false;
	if (!ranked)
		t->own_policy = t->task->policy;
	fc_thread_charge(t);
	if (!fc_task_setattr(t->task, SCHED_FIFO, rank, t->set_nice, 0, true))
		return false;
	t->set_rank = rank;
	return true;
}

static bool fc_thread_fair(struct fc_thread *t, int nice, u32 slice_us)
{
	bool ranked = fc_thread_ranked(t);

	if (t->set_rank || slice_us != t->set_slice_us || !t->weighted) {
		fc_thread_charge(t);
		if (!fc_task_setattr(t->task, ranked ? t->own_policy : t->task->policy, 0, nice,
				     (u64)slice_us * NSEC_PER_USEC, true))
			return false;
	} else if (nice != t->set_nice) {
		set_user_nice(t->task, nice);
	} else {
		return false;
	}
	t->set_rank = 0;
	t->set_nice = nice;
	t->set_slice_us = slice_us;
	return true;
}

bool fc_thread_set(struct fc_thread *t, struct fc_share want)
{
	bool changed;

	/* Who has a real-time policy of its own keeps it. */
	if (!fc_policy_fair(t->task->policy) && !fc_thread_ranked(t))
		want = (struct fc_share){};
	if (t->weighted)
		fc_thread_follow(t);
	/* Who has made itself nice stays so. */
	if ((want.step < 0 || want.rank) && (t->weighted ? t->own_nice : task_nice(t->task)) > 0)
		want = (struct fc_share){};
	if (!want.step && !want.slice_us && !want.rank)
		return t->weighted && fc_thread_restore(t);
	if (!t->weighted)
		fc_thread_begin(t);
	changed =
		want.rank ?
			fc_thread_rank(t, want.rank) :
			fc_thread_fair(t, clamp(t->own_nice + want.step, FC_NICE_MIN, FC_NICE_MAX),
				       want.slice_us);
	if (!t->weighted && !changed)
		fc_fork_forget(t);
	t->weighted |= changed;
	return changed;
}
