// SPDX-License-Identifier: GPL-2.0-only
/* Event-priority weighting: whose events are worth what, and when that is looked at. See weight.h.
 */
#include <linux/module.h>
#include <linux/sched.h>

#include "farcall.h"
#include "weight_math.h"
#include "weight_policy.h"
#include "weight_thread.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define FC_EVENTS_LOOKED_AT 64 /* of each channel: a longer queue weighs no more */

/*
 * Sum of the priorities of the events that wait to be consumed; quiet ones ask for nobody. All of
 * it lies in memory that the client writes: it can lie about itself only, and the limits hold
 * whatever it says.
 */
static u32 fc_channel_activated(struct fc_channel *ch)
{
	u32 sum = min(fc_load_relaxed(&ch->header->taken_priority), FC_PRIORITY_MAX);
	u32 head = fc_load_relaxed(&ch->header->event_head);
	struct fc_event event;
	u32 i;

	for (i = 0; i < FC_EVENTS_LOOKED_AT; i++, head++) {
		if (!fc_event_read(
			    fc_event_slot(ch->events, ch->event_slots - 1, ch->event_size, head),
			    head, &event))
			break;
		if (!(event.flags & FC_E_QUIET))
			sum = fc_priority_add(sum, event.priority);
	}
	return sum;
}

void fc_channel_look(struct fc_channel *ch)
{
	struct fc_channel_weight *cw = &ch->weight;
	struct fc_thread *t = cw->sleeper;
	u32 activated = cw->left ? 0 : fc_channel_activated(ch);
	u32 awaited = 0;

	if (t && !cw->left && fc_load_relaxed(&ch->header->client_armed))
		awaited = min(fc_load_relaxed(&ch->header->awaited_priority), FC_PRIORITY_MAX);
	ch->client->weight.activated += activated - cw->activated;
	cw->activated = activated;
	if (t)
		t->awaited += awaited - cw->awaited;
	cw->awaited = awaited;
}

/* Ticks that are far apart would let it run for as long: what it has used is only known then. */
static bool fc_urgent_now(const struct fc_device *dev, const struct fc_thread *t)
{
	/* A group without real-time of its own would never let it run. */
	if (IS_ENABLED(CONFIG_RT_GROUP_SCHED) && fc_thread_in_cgroup(t))
		return false;
	return fc_urgent_percent() && !t->overdrawn &&
	       READ_ONCE(dev->weight.least) <= usecs_to_jiffies(FC_SLICE_FULL_US);
}

void fc_thread_weigh(struct fc_client *client, struct fc_thread *t, bool idle)
{
	const struct fc_policy *policy = fc_policy_now();
	u32 base = fc_base_now(client->dev);
	u32 priority =
		min(idle ? max(client->weight.activated, t->awaited) : client->weight.activated,
		    FC_PRIORITY_MAX);
	u32 weight = policy->weight(base, priority);
	struct fc_share want = { .slice_us = policy->slice_us(weight, priority) };

	if (weight)
		want.step =
			idle ? fc_weight_nice(weight) : fc_weight_nice_average(weight, &t->error);
	/* Before it is woken, or not at all: who runs already has not slept for what it has now. */
	if (policy->urgent && priority && (idle || t->set_rank) && fc_urgent_now(client->dev, t))
		want.rank = fc_urgent_rank(weight);
	t->priority = priority;
	t->weight = weight;
	if (!fc_thread_set(t, want))
		return;
	t->changes++;
	trace_farcall_weight(task_pid_nr(t->task), priority, base, weight, task_nice(t->task),
			     t->set_slice_us, t->set_rank);
}

static void fc_thread_unrole(struct fc_thread *t)
{
	if (!t || --t->roles)
		return;
	list_del(&t->link);
	fc_thread_destroy(t);
}

static void fc_channel_set_sleeper(struct fc_channel *ch, struct fc_thread *t)
{
	struct fc_thread *old = ch->weight.sleeper;

	if (old == t)
		return;
	if (old)
		old->awaited -= ch->weight.awaited;
	ch->weight.awaited = 0;
	ch->weight.sleeper = t;
	if (t)
		t->roles++;
	fc_thread_unrole(old);
}

/* The caller as a thread of the client; NULL: not to be weighted. A new one has no role yet. */
static struct fc_thread *fc_thread_of(struct fc_client *client)
{
	struct fc_thread *t;

	/* A worker of io_uring has the memory, but is nobody's handler. */
	if (current->mm != client->mm || current->flags & (PF_KTHREAD | PF_IO_WORKER))
		return NULL;
	list_for_each_entry(t, &client->weight.threads, link)
		if (t->task == current)
			return t;
	t = fc_thread_create();
	if (t)
		list_add(&t->link, &client->weight.threads);
	else
		client->weight.refused++;
	return t;
}

void fc_weight_join(struct fc_channel *ch)
{
	struct fc_client *client = ch->client;
	struct fc_client_weight *cw = &client->weight;
	struct fc_device *dev = client->dev;

	mutex_lock(&dev->weight.lock);
	mutex_lock(&cw->lock);
	if (!cw->closed && !dev->weight.stopped) {
		if (list_empty(&cw->link))
			list_add_tail(&cw->link, &dev->weight.clients);
		ch->weight.creator = fc_thread_of(client);
		if (ch->weight.creator)
			ch->weight.creator->roles++;
		if (fc_weight_enabled())
			fc_weight_kick(dev);
	}
	mutex_unlock(&cw->lock);
	mutex_unlock(&dev->weight.lock);
}

void fc_weight_sleep(struct fc_channel *ch, bool waits)
{
	struct fc_client *client = ch->client;
	struct fc_client_weight *cw = &client->weight;
	struct fc_thread *t, *other;

	if (!fc_weight_enabled())
		return;
	mutex_lock(&cw->lock);
	/* Looked at again: who switches the policy off takes the lock once and relies on it. */
	t = !cw->closed && fc_weight_enabled() ? fc_thread_of(client) : NULL;
	if (!t)
		goto unlock;
	fc_channel_set_sleeper(ch, t);
	fc_channel_look(ch);
	t->waiting = waits;
	fc_thread_weigh(client, t, true);
	/* The others' events are these, too: a handler may run in a thread that never sleeps here.
	 */
	if (cw->activated != cw->applied) {
		list_for_each_entry(other, &cw->threads, link)
			if (other != t)
				fc_thread_weigh(client, other,
						other->waiting || !task_is_running(other->task));
		cw->applied = cw->activated;
	}
	/* A poller's wake-up may be anybody's. */
	if (!waits)
		fc_weight_kick(client->dev);
unlock:
	mutex_unlock(&cw->lock);
}

void fc_weight_woken(struct fc_channel *ch)
{
	struct fc_client_weight *cw = &ch->client->weight;
	struct fc_thread *t;

	if (!fc_weight_enabled())
		return;
	mutex_lock(&cw->lock);
	t = cw->closed ? NULL : ch->weight.sleeper;
	if (t && t->task == current) {
		t->waiting = false;
		fc_weight_kick(ch->client->dev);
	}
	mutex_unlock(&cw->lock);
}

void fc_weight_leave(struct fc_channel *ch)
{
	struct fc_client_weight *cw = &ch->client->weight;

	mutex_lock(&cw->lock);
	ch->weight.left = true;
	if (!cw->closed) {
		fc_channel_look(ch);
		fc_channel_set_sleeper(ch, NULL);
		fc_thread_unrole(ch->weight.creator);
		ch->weight.creator = NULL;
	}
	mutex_unlock(&cw->lock);
}

static void fc_client_drop_threads(struct fc_client *client)
{
	struct fc_thread *t, *next;

	list_for_each_entry_safe(t, next, &client->weight.threads, link) {
		list_del(&t->link);
		fc_thread_destroy(t);
	}
}

/* Under dev->weight.lock. Channels keep pointers to the threads, and never look at them again. */
void fc_client_close(struct fc_client *client)
{
	mutex_lock(&client->weight.lock);
	client->weight.closed = true;
	fc_client_drop_threads(client);
	list_del_init(&client->weight.link);
	mutex_unlock(&client->weight.lock);
}

void fc_weight_client_init(struct fc_client *client)
{
	mutex_init(&client->weight.lock);
	INIT_LIST_HEAD(&client->weight.link);
	INIT_LIST_HEAD(&client->weight.threads);
}

void fc_weight_client_close(struct fc_client *client)
{
	struct fc_device *dev = client->dev;

	mutex_lock(&dev->weight.lock);
	fc_client_close(client);
	mutex_unlock(&dev->weight.lock);
}
