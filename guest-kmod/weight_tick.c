// SPDX-License-Identifier: GPL-2.0-only
/* Event-priority weighting, interval by interval: the load of all, which gives the base, and each
 * client by it. See weight.h. */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>

#include "farcall.h"
#include "weight_math.h"
#include "weight_policy.h"
#include "weight_thread.h"

#define FC_WEIGHT_INTERVAL msecs_to_jiffies(10)
#define FC_WEIGHT_IDLE_INTERVAL msecs_to_jiffies(320) /* nobody ran, but may at any time */
#define FC_WEIGHT_REST 10 /* times as long as a tick takes, nobody looks */
#define FC_EVENTS_BELIEVED 65536u /* consumed on one channel in one interval */

static void fc_tick_in(struct fc_device_weight *dw, unsigned long delay)
{
	kthread_queue_delayed_work(dw->worker, &dw->tick, delay);
}

void fc_weight_kick(struct fc_device *dev)
{
	struct fc_device_weight *dw = &dev->weight;
	unsigned long least = READ_ONCE(dw->least);

	if (READ_ONCE(dw->interval) <= least) {
		fc_tick_in(dw, least);
		return;
	}
	WRITE_ONCE(dw->interval, least);
	kthread_mod_delayed_work(dw->worker, &dw->tick, least);
}

void fc_weight_tick_now(struct fc_device *dev)
{
	kthread_mod_delayed_work(dev->weight.worker, &dev->weight.tick, 0);
	kthread_flush_work(&dev->weight.tick.work);
}

static u32 fc_channel_consumed(struct fc_channel *ch)
{
	u32 head = fc_load_relaxed(&ch->header->event_head);
	u32 count = min(head - ch->weight.event_head, FC_EVENTS_BELIEVED);

	ch->weight.event_head = head;
	return count;
}

/* Has left the client's memory, by exec or exit: its events are not for what it is now. */
static bool fc_thread_gone(const struct fc_client *client, const struct fc_thread *t)
{
	return READ_ONCE(t->task->mm) != client->mm;
}

/* The channels' pointers to a thread that is gone. Under client->weight.lock and client->lock. */
static void fc_thread_forget(struct fc_client *client, struct fc_thread *t)
{
	struct fc_channel *ch;

	list_for_each_entry(ch, &client->channels, link) {
		if (ch->weight.creator == t)
			ch->weight.creator = NULL;
		if (ch->weight.sleeper == t) {
			ch->weight.sleeper = NULL;
			ch->weight.awaited = 0;
		}
	}
}

/* Looks at everything of one client. Returns whether it ran since the last time. Under
 * client->weight.lock. */
static bool fc_client_measure(struct fc_client *client)
{
	struct fc_client_weight *cw = &client->weight;
	struct fc_thread *t, *next;
	struct fc_channel *ch;
	bool ran = false;

	cw->consumed = 0;
	/* Nobody to be weighted, since the user has enough already: then its channels cost nothing.
	 */
	if (list_empty(&cw->threads)) {
		cw->passed_over = true;
		return false;
	}
	mutex_lock(&client->lock);
	list_for_each_entry_safe(t, next, &cw->threads, link) {
		if (!fc_thread_gone(client, t))
			continue;
		fc_thread_forget(client, t);
		t->roles = 0;
	}
	list_for_each_entry(ch, &client->channels, link) {
		fc_channel_look(ch);
		cw->consumed += fc_channel_consumed(ch);
	}
	mutex_unlock(&client->lock);
	if (cw->passed_over)
		cw->consumed = 0;
	cw->passed_over = false;
	list_for_each_entry_safe(t, next, &cw->threads, link) {
		u64 cpu_ns = READ_ONCE(t->task->se.sum_exec_runtime);

		if (!t->roles) {
			list_del(&t->link);
			fc_thread_destroy(t);
			continue;
		}
		ran |= cpu_ns != t->cpu_ns || task_is_running(t->task);
		t->cpu_ns = cpu_ns;
	}
	return ran || cw->consumed;
}

/* What is paid back of the debt, and whether there is credit now. */
static void fc_thread_account(struct fc_device *dev, struct fc_thread *t, u64 elapsed_us)
{
	fc_thread_charge(t);
	t->debt_ns = fc_urgent_pay(t->debt_ns, elapsed_us, fc_urgent_percent(), t->weight,
				   dev->weight.urgent);
	t->overdrawn = !fc_urgent_credit(t->debt_ns, !t->overdrawn);
}

/* What a tick finds out about all clients. */
struct fc_found {
	bool awake; /* somebody may run without our being told */
	bool lent; /* ... with a rank */
	u64 urgent; /* weight of those that have one */
};

static void fc_client_weigh(struct fc_client *client, u64 elapsed_us, struct fc_found *found)
{
	struct fc_client_weight *cw = &client->weight;
	struct fc_thread *t;

	cw->rate = fc_load_update(cw->rate, fc_load_sample(cw->consumed, 1, elapsed_us));
	cw->applied = cw->activated;
	list_for_each_entry(t, &cw->threads, link) {
		fc_thread_account(client->dev, t, elapsed_us);
		/* On its way to sleep it still runs, and may have been preempted there: it has said
		 * what it awaits. */
		fc_thread_weigh(client, t, t->waiting || !task_is_running(t->task));
		found->awake |= !t->waiting || t->overdrawn;
		if (!t->set_rank)
			continue;
		found->lent |= !t->waiting;
		found->urgent += t->weight;
	}
	found->awake |= cw->rate != 0;
}

static unsigned long fc_least_interval(u64 spent_ns)
{
	u64 rest_us = min_t(u64, spent_ns / NSEC_PER_USEC * FC_WEIGHT_REST, USEC_PER_SEC);

	return max(FC_WEIGHT_INTERVAL, usecs_to_jiffies((unsigned int)rest_us));
}

/* One interval: first the load of all, which gives the base, then each client by it. */
static void fc_weight_tick(struct kthread_work *work)
{
	struct fc_device *dev = container_of(work, struct fc_device, weight.tick.work);
	struct fc_device_weight *dw = &dev->weight;
	u32 events = 0, processes = 0, load;
	struct fc_client *client;
	unsigned long least;
	struct fc_found found = {};
	u64 now, elapsed_us;

	mutex_lock(&dw->lock);
	now = ktime_get_ns();
	elapsed_us = max_t(u64, (now - dw->measured) / NSEC_PER_USEC, 1);
	dw->measured = now;
	list_for_each_entry(client, &dw->clients, weight.link) {
		mutex_lock(&client->weight.lock);
		processes += fc_client_measure(client);
		events += client->weight.consumed;
		mutex_unlock(&client->weight.lock);
	}
	load = fc_load_update(atomic_read(&dw->load),
			      fc_load_sample(events, processes, elapsed_us));
	atomic_set(&dw->load, fc_weight_enabled() ? load : 0);
	list_for_each_entry(client, &dw->clients, weight.link) {
		mutex_lock(&client->weight.lock);
		fc_client_weigh(client, elapsed_us, &found);
		mutex_unlock(&client->weight.lock);
	}
	dw->urgent = found.urgent;
	dw->ticks++;
	/* Who waits on a channel is told of by fc_weight_woken(), and with none but those this
	 * rests. */
	least = fc_least_interval(ktime_get_ns() - now);
	WRITE_ONCE(dw->least, least);
	WRITE_ONCE(dw->interval,
		   processes || load || found.lent ?
			   least :
			   max(least, min(dw->interval * 2, FC_WEIGHT_IDLE_INTERVAL)));
	if (fc_weight_enabled() && !dw->stopped && (found.awake || load))
		fc_tick_in(dw, dw->interval);
	mutex_unlock(&dw->lock);
}

void fc_weight_init(struct fc_device *dev)
{
	mutex_init(&dev->weight.lock);
	INIT_LIST_HEAD(&dev->weight.clients);
	kthread_init_delayed_work(&dev->weight.tick, fc_weight_tick);
	dev->weight.interval = dev->weight.least = FC_WEIGHT_INTERVAL;
	dev->weight.measured = ktime_get_ns();
}

/*
 * A real-time thread: those whom the tick has weighted are not to keep it from looking again, and
 * it must not be one of them, nor one of the urgent ones, whom it ends. A fair task, however nice,
 * waits for the end of a slice, and while it does, its weight holds back the average by which EEVDF
 * finds a woken handler eligible.
 */
static struct kthread_worker *fc_tick_worker(void)
{
	struct kthread_worker *worker = kthread_create_worker(0, "farcall_weight");

	if (!IS_ERR(worker))
		sched_set_fifo(worker->task);
	return worker;
}

int fc_weight_start(struct fc_device *dev)
{
	int ret;

	dev->weight.worker = fc_tick_worker();
	if (IS_ERR(dev->weight.worker))
		return PTR_ERR(dev->weight.worker);
	ret = fc_fork_start();
	if (ret)
		kthread_destroy_worker(dev->weight.worker);
	else
		fc_policy_attach(dev);
	return ret;
}

void fc_weight_stop(struct fc_device *dev)
{
	struct fc_client *client, *next;

	fc_policy_attach(NULL);
	mutex_lock(&dev->weight.lock);
	dev->weight.stopped = true;
	list_for_each_entry_safe(client, next, &dev->weight.clients, weight.link)
		fc_client_close(client);
	mutex_unlock(&dev->weight.lock);
	kthread_cancel_delayed_work_sync(&dev->weight.tick);
	kthread_destroy_worker(dev->weight.worker);
	fc_fork_stop();
}
