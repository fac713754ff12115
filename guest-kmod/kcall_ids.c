// SPDX-License-Identifier: GPL-2.0-only
/* Event IDs of the kernel's own client: a command needs one to be cancelled by. */
#include "kcall.h"
#include "kcall_impl.h"

#define FC_KIDS_COUNT (4 * FC_ID_BLOCK)

static void fc_kids_fetch(struct work_struct *work)
{
	struct fc_kids *ids = container_of(work, struct fc_kids, fetch);
	struct fc_control msg = { .op = FC_CTL_EVENT_IDS,
				  .client = ids->kernel->number,
				  .arg[0] = FC_KIDS_COUNT };
	bool there;
	int ret;

	/* Asked for again while it was being fetched. */
	spin_lock_irq(&ids->lock);
	there = ids->spare != ids->spare_end;
	spin_unlock_irq(&ids->lock);
	if (there)
		return;
	ret = fc_kernel_request(ids->kernel, &msg);
	spin_lock_irq(&ids->lock);
	ids->error = ret;
	if (!ret) {
		ids->spare = msg.arg[0];
		ids->spare_end = msg.arg[0] + FC_KIDS_COUNT;
	}
	spin_unlock_irq(&ids->lock);
	wake_up_all(&ids->wait);
}

void fc_kids_init(struct fc_kids *ids, struct fc_kernel *k)
{
	ids->kernel = k;
	spin_lock_init(&ids->lock);
	INIT_WORK(&ids->fetch, fc_kids_fetch);
	init_waitqueue_head(&ids->wait);
}

void fc_kids_stop(struct fc_kids *ids)
{
	/* kernel->dead is set: nobody who takes the lock after this asks for more. */
	spin_lock_irq(&ids->lock);
	spin_unlock_irq(&ids->lock);
	cancel_work_sync(&ids->fetch);
	wake_up_all(&ids->wait);
}

/* False: there is none now, but more are asked for. */
static bool fc_kids_try(struct fc_kids *ids, u64 *id)
{
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&ids->lock, flags);
	if (ids->n_unused) {
		*id = ids->unused[--ids->n_unused];
		spin_unlock_irqrestore(&ids->lock, flags);
		return true;
	}
	if (ids->next == ids->end) {
		ids->next = ids->spare;
		ids->end = ids->spare_end;
		ids->spare = ids->spare_end;
	}
	ok = ids->next != ids->end;
	if (ok)
		*id = ids->next++;
	if (ids->spare == ids->spare_end && !READ_ONCE(ids->kernel->dead))
		queue_work(system_unbound_wq, &ids->fetch);
	spin_unlock_irqrestore(&ids->lock, flags);
	return ok;
}

void fc_kids_untake(struct fc_kids *ids, u64 id)
{
	unsigned long flags;

	spin_lock_irqsave(&ids->lock, flags);
	if (ids->n_unused < FC_KIDS_UNUSED)
		ids->unused[ids->n_unused++] = id;
	spin_unlock_irqrestore(&ids->lock, flags);
}

/* Waits for one. -ENODEV; -EINTR: the caller is killed; what the host said when it gave none. */
int fc_kids_take(struct fc_kids *ids, u64 *id)
{
	bool ok = fc_kids_try(ids, id);
	int ret = ok ? 0 :
		       wait_event_killable(ids->wait, (ok = fc_kids_try(ids, id)) ||
							      READ_ONCE(ids->error) ||
							      READ_ONCE(ids->kernel->dead));

	if (ok)
		return 0;
	if (ret)
		return -EINTR;
	return READ_ONCE(ids->kernel->dead) ? -ENODEV : READ_ONCE(ids->error);
}
