// SPDX-License-Identifier: GPL-2.0-only
/* Commands of the kernel's own client: with a waiting caller, or with a call-back. */
#include "kcall.h"
#include "kcall_impl.h"

int fc_kcall(struct fc_kernel *k, struct fc_command *cmd, unsigned int flags)
{
	bool intr = flags & FC_KCALL_INTR;
	struct fc_kwait w = { .op.cmd = *cmd };
	struct fc_kring *r;
	int ret = fc_kernel_start(k);

	if (ret)
		return ret;
	fc_kwait_init(&w);
	if (intr) {
		ret = fc_kids_take(&k->call_ids, &w.op.cmd.id);
		if (ret)
			return ret;
		w.op.cmd.flags |= FC_F_ID;
	}
	r = fc_kring_here(k);
	ret = fc_kwait_post(&w, r, true, intr);
	if (ret && intr)
		fc_kids_untake(&k->call_ids, w.op.cmd.id);
	if (ret)
		return ret;
	return fc_kwait_spin(&w, r) ? w.result : fc_kwait_sleep(&w, r, intr);
}

int fc_kcall_id(struct fc_kernel *k, u64 *id)
{
	int ret = fc_kernel_start(k);

	return ret ? ret : fc_kids_take(&k->call_ids, id);
}

void fc_kcall_forget(struct fc_kernel *k, struct fc_command *cmd)
{
	bool bell = false;
	struct fc_kring *r;
	int ret;

	if (fc_kernel_start(k))
		return;
	cmd->flags = FC_F_QUIET;
	cmd->id = FC_KRING_FORGET;
	preempt_disable();
	r = fc_kring_here(k);
	spin_lock_irq(&r->lock);
	ret = fc_kring_post(r, cmd, FC_KRING_MAX_OPS, &bell);
	spin_unlock_irq(&r->lock);
	if (bell)
		fc_kring_ring(r);
	preempt_enable();
	/* No room, which is what waiting is for. */
	if (ret == -EAGAIN) {
		cmd->flags = 0;
		fc_kcall(k, cmd, 0);
	}
}

int fc_kcall_begin(struct fc_kernel *k, struct fc_kwait *w)
{
	int ret = fc_kernel_start(k);

	if (ret)
		return ret;
	fc_kwait_init(w);
	return fc_kwait_post(w, fc_kring_here(k), false, false);
}

int fc_kcall_end(struct fc_kernel *k, struct fc_kwait *w)
{
	struct fc_kring *r = w->op.ring;

	preempt_disable();
	spin_lock_irq(&r->lock);
	r->spinners++;
	fc_disarm(&r->header->client_armed);
	spin_unlock_irq(&r->lock);
	return fc_kwait_spin(w, r) ? w->result : fc_kwait_sleep(w, r, false);
}

int fc_kop_start(struct fc_kernel *k, struct fc_kop *op)
{
	bool bell = false, look = false;
	struct fc_kring *r;
	unsigned long flags;
	int ret;

	if (!smp_load_acquire(&k->ready) || READ_ONCE(k->dead))
		return -ENODEV;
	preempt_disable();
	r = fc_kring_here(k);
	spin_lock_irqsave(&r->lock, flags);
	op->cmd.id = r->next_id++ & FC_ID_NUMBER_MASK;
	ret = r->ops < FC_KRING_MAX_OPS ? fc_kring_post(r, &op->cmd, FC_KRING_MAX_WAITS, &bell) :
					  -EAGAIN;
	if (!ret) {
		fc_kring_track(r, op);
		r->ops++;
		r->wanted++;
		look = fc_kring_arm(r);
	}
	spin_unlock_irqrestore(&r->lock, flags);
	if (bell)
		fc_kring_ring(r);
	if (look)
		fc_kring_reap(r);
	preempt_enable();
	return ret;
}
