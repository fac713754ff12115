// SPDX-License-Identifier: GPL-2.0-only
/*
 * A channel of the kernel's own client: posting, taking events out, arming.
 *
 * Events may be taken out by anybody: a caller that spins, one that goes to sleep, the interrupt.
 * Only one does at a time, so that the events of an op come in their order; the others leave it a
 * note (again).
 *
 * The channel is armed as long as somebody sleeps or an op is under way, but not while somebody
 * spins: what a spinner finds needs no interrupt. The last spinner arms again. A spinner can't be
 * preempted, so the others wait no longer than its budget.
 */
#include <linux/hash.h>

#include "kcall.h"
#include "kcall_impl.h"

struct fc_kring *fc_kring_here(struct fc_kernel *k)
{
	return k->rings[raw_smp_processor_id() % k->n_rings];
}

void fc_kring_ring(struct fc_kring *r)
{
	writel(1, r->doorbell);
}

static struct hlist_head *fc_kring_bucket(struct fc_kring *r, u64 id)
{
	return &r->table[hash_64(id, FC_KRING_TABLE_BITS)];
}

/* Locked. What the host has taken is believed only as far as it can be. */
static bool fc_kring_has_slot(struct fc_kring *r)
{
	u32 untaken = r->posted - fc_load_acquire(&r->header->command_head);

	return min(untaken, r->in_flight) < FC_KRING_COMMANDS;
}

int fc_kring_post(struct fc_kring *r, struct fc_command *cmd, u32 limit, bool *bell)
{
	if (r->dead)
		return -ENODEV;
	if (r->in_flight >= limit || !fc_kring_has_slot(r))
		return -EAGAIN;
	if (cmd->flags & FC_F_MULTISHOT)
		r->credit = true;
	r->in_flight++;
	fc_command_publish(r->commands, FC_KRING_COMMANDS - 1, r->posted++, cmd);
	*bell |= fc_doorbell_needed(r->header, r->posted);
	return 0;
}

/* Locked: right after its command was posted, or before; its event can't be taken out meanwhile. */
void fc_kring_track(struct fc_kring *r, struct fc_kop *op)
{
	op->ring = r;
	INIT_LIST_HEAD(&op->cancel);
	hlist_add_head(&op->node, fc_kring_bucket(r, op->cmd.id));
}

/* Any context, without the lock: a hint. */
bool fc_kring_pending(const struct fc_kring *r)
{
	u32 head = READ_ONCE(r->event_head);
	struct fc_event event;

	return fc_event_read(
		fc_event_slot(r->events, FC_KRING_EVENTS - 1, sizeof(struct fc_event), head), head,
		&event);
}

static struct fc_kop *fc_kring_find(struct fc_kring *r, u64 id)
{
	struct fc_kop *op;

	hlist_for_each_entry(op, fc_kring_bucket(r, id), node) if (op->cmd.id == id) return op;
	return NULL;
}

/* Locked. The op is over: from here on only done() may touch it. */
static void fc_kring_untrack(struct fc_kring *r, struct fc_kop *op)
{
	hlist_del_init(&op->node);
	list_del_init(&op->cancel);
	if (op->done == fc_kwait_done)
		return;
	r->ops--;
	r->wanted--;
}

/*
 * Locked, and drops the lock around the call-back of an op. That of a waiting caller is called
 * under it: the caller takes the lock before it goes on, so that what it waits in does not vanish.
 */
static void fc_kring_deliver(struct fc_kring *r, struct fc_kop *op, s32 result, u8 event_flags,
			     unsigned long *flags)
{
	if (!(event_flags & FC_E_MORE))
		fc_kring_untrack(r, op);
	if (op->done == fc_kwait_done) {
		op->done(op, result, event_flags);
		return;
	}
	spin_unlock_irqrestore(&r->lock, *flags);
	op->done(op, result, event_flags);
	spin_lock_irqsave(&r->lock, *flags);
}

/* Locked. */
static void fc_kring_drain(struct fc_kring *r, unsigned long *flags)
{
	struct fc_event event;
	struct fc_kop *op;

	while (fc_event_read(
		fc_event_slot(r->events, FC_KRING_EVENTS - 1, sizeof(event), r->event_head),
		r->event_head, &event)) {
		WRITE_ONCE(r->event_head, r->event_head + 1);
		if (!(event.flags & FC_E_MORE) && r->in_flight)
			r->in_flight--;
		op = fc_kring_find(r, event.id);
		if (op)
			fc_kring_deliver(r, op, event.result, event.flags, flags);
	}
}

/* Locked. Gives the event slots back; true: ring the doorbell. */
static bool fc_kring_give_back(struct fc_kring *r)
{
	bool bell = false;

	if (r->credit)
		bell = fc_credit_doorbell_needed(r->header, r->event_head);
	else
		fc_store_release(&r->header->event_head, r->event_head);
	if (!r->in_flight)
		r->credit = false;
	return bell;
}

/* Cancels that found no room earlier, and new ones. */
void fc_kring_post_cancels(struct fc_kring *r, bool *bell)
{
	struct fc_kop *op, *next;

	list_for_each_entry_safe(op, next, &r->cancels, cancel) {
		struct fc_command cmd = { .opcode = FC_OP_CANCEL,
					  .id = FC_KRING_FORGET,
					  .offset = op->cmd.id };

		if (fc_kring_post(r, &cmd, FC_KRING_EVENTS, bell))
			return;
		list_del_init(&op->cancel);
	}
}

bool fc_kring_arm(struct fc_kring *r)
{
	/* Who has added itself to `wanted` relies on an interrupt that finds it there. */
	smp_mb();
	if (!r->wanted || r->spinners || fc_load_relaxed(&r->header->client_armed))
		return false;
	fc_arm(&r->header->client_armed);
	return fc_kring_pending(r) || fc_load_acquire(&r->header->status) != FC_CHANNEL_OK;
}

/* Fails what is under way. The ring is dead, so nothing new comes. Locked. */
static void fc_kring_fail(struct fc_kring *r, unsigned long *flags)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(r->table); i++) {
		while (!hlist_empty(&r->table[i]))
			fc_kring_deliver(r, hlist_entry(r->table[i].first, struct fc_kop, node),
					 -ENODEV, 0, flags);
	}
	r->in_flight = 0;
}

/*
 * Locked. A poisoned channel gives no events any more, but commands that it had posted may still
 * run, in memory that would be used again: so the whole client ends.
 */
static void fc_kring_check(struct fc_kring *r)
{
	if (fc_load_acquire(&r->header->status) == FC_CHANNEL_OK || r->dead)
		return;
	r->dead = true;
	WRITE_ONCE(r->kernel->dead, true);
}

void fc_kring_reap(struct fc_kring *r)
{
	unsigned long flags;
	bool bell = false;

	spin_lock_irqsave(&r->lock, flags);
	if (r->reaping) {
		r->again = true;
		spin_unlock_irqrestore(&r->lock, flags);
		return;
	}
	preempt_disable();
	r->reaping = true;
	do {
		r->again = false;
		fc_kring_drain(r, &flags);
		bell |= fc_kring_give_back(r);
		fc_kring_post_cancels(r, &bell);
		fc_kring_check(r);
		if (r->dead)
			fc_kring_fail(r, &flags);
	} while (r->again || (!r->dead && fc_kring_arm(r)));
	r->reaping = false;
	bell &= !r->dead;
	if (waitqueue_active(&r->room))
		wake_up_all(&r->room);
	spin_unlock_irqrestore(&r->lock, flags);
	if (bell)
		fc_kring_ring(r);
	preempt_enable();
}

void fc_kring_interrupt(struct fc_listener *listener)
{
	struct fc_kring *r = container_of(listener, struct fc_kring, listener);

	/* As in irq.c: a cleared flag counts, even when there is no event. */
	if (!READ_ONCE(r->wanted))
		return;
	if (fc_load_relaxed(&r->header->client_armed) && !fc_kring_pending(r) &&
	    fc_load_relaxed(&r->header->status) == FC_CHANNEL_OK)
		return;
	r->interrupts++;
	fc_kring_reap(r);
}

void fc_kring_die(struct fc_kring *r)
{
	spin_lock_irq(&r->lock);
	r->dead = true;
	spin_unlock_irq(&r->lock);
	fc_kring_reap(r);
}
