// SPDX-License-Identifier: GPL-2.0-only
/* Callers who wait: posting, spinning, sleeping, signals. */
#include <linux/module.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>

#include "kcall.h"
#include "kcall_impl.h"

#define FC_SPIN_BATCH 16

static unsigned int fc_spin_us = 20;
module_param_named(spin_us, fc_spin_us, uint, 0644);
MODULE_PARM_DESC(spin_us,
		 "Microseconds that a caller of the host looks for its answer before it sleeps");

static unsigned int fc_spin_max_us = 200;
module_param_named(spin_max_us, fc_spin_max_us, uint, 0644);
MODULE_PARM_DESC(
	spin_max_us,
	"The same where nobody else wants to run, and answers lately came within that time");

void fc_kwait_done(struct fc_kop *op, s32 result, u8 event_flags)
{
	struct fc_kwait *w = container_of(op, struct fc_kwait, op);

	if (event_flags & FC_E_MORE)
		return;
	w->result = result;
	smp_store_release(&w->done, true);
	if (w->sleeps)
		wake_up_process(w->task);
}

/*
 * Posts it. spin: as one who looks at the ring until fc_kwait_spin() is over, with preemption
 * disabled.
 */
static int fc_kwait_try(struct fc_kwait *w, struct fc_kring *r, bool spin, bool intr)
{
	bool bell = false;
	int ret;

	preempt_disable();
	spin_lock_irq(&r->lock);
	if (!(w->op.cmd.flags & FC_F_ID))
		w->op.cmd.id = r->next_id++ & FC_ID_NUMBER_MASK;
	ret = fc_kring_post(r, &w->op.cmd, intr ? FC_KRING_MAX_WAITS : FC_KRING_MAX_CALLS, &bell);
	if (!ret) {
		fc_kring_track(r, &w->op);
		if (spin) {
			r->spinners++;
			fc_disarm(&r->header->client_armed);
		}
	}
	spin_unlock_irq(&r->lock);
	if (bell)
		fc_kring_ring(r);
	if (ret || !spin)
		preempt_enable();
	return ret;
}

/* Waits for room in the ring, if there is none. */
int fc_kwait_post(struct fc_kwait *w, struct fc_kring *r, bool spin, bool intr)
{
	DEFINE_WAIT(wait);
	int ret = fc_kwait_try(w, r, spin, intr);

	while (ret == -EAGAIN) {
		/* Events that nobody was told of. */
		fc_kring_reap(r);
		prepare_to_wait(&r->room, &wait, intr ? TASK_INTERRUPTIBLE : TASK_UNINTERRUPTIBLE);
		ret = fc_kwait_try(w, r, spin, intr);
		if (ret != -EAGAIN)
			break;
		if (intr && signal_pending(current)) {
			ret = -ERESTARTSYS;
			break;
		}
		/* Nothing tells of a free command slot. */
		schedule_timeout(1);
	}
	finish_wait(&r->room, &wait);
	return ret;
}

static u64 fc_spin_ns(unsigned int us)
{
	return us * (u64)NSEC_PER_USEC;
}

/* Has it looked for long enough? */
static bool fc_spin_over(struct fc_kring *r, u64 start)
{
	u64 spent = local_clock() - start;

	if (need_resched())
		return true;
	return spent >= fc_spin_ns(READ_ONCE(fc_spin_us)) &&
	       (spent >= READ_ONCE(r->spin_ns) || !single_task_running());
}

/*
 * Who slept for less than the most that one may spin had better spun: a sleep and what wakes from
 * it cost more, and let the host's worker fall asleep too, so that the next command needs a
 * doorbell.
 */
static void fc_spin_adapt(struct fc_kring *r, u64 waited)
{
	u64 most = fc_spin_ns(READ_ONCE(fc_spin_max_us));
	u64 now = READ_ONCE(r->spin_ns);

	WRITE_ONCE(r->spin_ns, waited < most ? clamp(2 * now, waited, most) : now / 2);
}

static void fc_kwait_look(struct fc_kwait *w, struct fc_kring *r)
{
	int i;

	w->start = local_clock();
	do {
		for (i = 0; i < FC_SPIN_BATCH; i++) {
			if (smp_load_acquire(&w->done))
				return;
			if (fc_kring_pending(r))
				fc_kring_reap(r);
			else
				cpu_relax();
		}
	} while (!fc_spin_over(r, w->start));
}

/* After spinning. True: it is over; else the caller is one who sleeps. */
static bool fc_kwait_settle(struct fc_kwait *w, struct fc_kring *r)
{
	bool look, done;

	spin_lock_irq(&r->lock);
	r->spinners--;
	done = w->done;
	if (!done) {
		r->wanted++;
		w->sleeps = true;
	}
	look = fc_kring_arm(r);
	spin_unlock_irq(&r->lock);
	if (look)
		fc_kring_reap(r);
	return done;
}

bool fc_kwait_spin(struct fc_kwait *w, struct fc_kring *r)
{
	bool over;

	fc_kwait_look(w, r);
	/* Handed over while nobody can take the CPU away: nobody else arms the ring meanwhile. */
	over = fc_kwait_settle(w, r);
	preempt_enable();
	return over;
}

static void fc_kwait_unsettle(struct fc_kwait *w, struct fc_kring *r)
{
	spin_lock_irq(&r->lock);
	r->wanted--;
	r->sleeps++;
	if (!r->wanted)
		fc_disarm(&r->header->client_armed);
	spin_unlock_irq(&r->lock);
}

/* A signal has come: asks the host to end the command. Its event will say whether that helped. */
static void fc_kwait_cancel(struct fc_kwait *w, struct fc_kring *r)
{
	bool bell = false;

	preempt_disable();
	spin_lock_irq(&r->lock);
	if (!w->done) {
		list_add_tail(&w->op.cancel, &r->cancels);
		fc_kring_post_cancels(r, &bell);
	}
	spin_unlock_irq(&r->lock);
	if (bell)
		fc_kring_ring(r);
	preempt_enable();
}

int fc_kwait_sleep(struct fc_kwait *w, struct fc_kring *r, bool intr)
{
	bool cancelled = false;

	for (;;) {
		set_current_state(intr ? TASK_INTERRUPTIBLE : TASK_UNINTERRUPTIBLE);
		if (smp_load_acquire(&w->done))
			break;
		if (intr && signal_pending(current)) {
			__set_current_state(TASK_RUNNING);
			fc_kwait_cancel(w, r);
			cancelled = true;
			intr = false;
			continue;
		}
		if (intr) {
			schedule();
		} else if (cancelled && !list_empty_careful(&w->op.cancel)) {
			/* There was no room for that, and nothing tells of a free command slot. */
			io_schedule_timeout(1);
			fc_kring_reap(r);
		} else {
			io_schedule();
		}
	}
	__set_current_state(TASK_RUNNING);
	fc_kwait_unsettle(w, r);
	fc_spin_adapt(r, local_clock() - w->start);
	return cancelled && w->result == -ECANCELED ? -ERESTARTSYS : w->result;
}

void fc_kwait_init(struct fc_kwait *w)
{
	w->op.done = fc_kwait_done;
	w->task = current;
	w->sleeps = false;
	w->done = false;
}
