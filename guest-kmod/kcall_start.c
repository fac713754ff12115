// SPDX-License-Identifier: GPL-2.0-only
/* Life of the kernel's own client. */
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "kcall.h"
#include "kcall_impl.h"

/* The bound device's, for those who come by name: mounts. */
static DEFINE_MUTEX(fc_kernel_lock);
static struct fc_kernel *fc_kernel_bound;

struct fc_kernel *fc_kernel_find(void)
{
	struct fc_kernel *k;

	mutex_lock(&fc_kernel_lock);
	k = fc_kernel_bound;
	if (k)
		fc_kernel_get(k);
	mutex_unlock(&fc_kernel_lock);
	return k;
}

void fc_kernel_bind(struct fc_kernel *k)
{
	mutex_lock(&fc_kernel_lock);
	fc_kernel_bound = k;
	mutex_unlock(&fc_kernel_lock);
}

static void fc_kernel_request_late(struct fc_request *req)
{
}

int fc_kernel_request(struct fc_kernel *k, struct fc_control *msg)
{
	struct fc_request *req = kmalloc(sizeof(*req), GFP_KERNEL);

	if (!req)
		return -ENOMEM;
	fc_request_init(req, k->dev, msg->op, fc_kernel_request_late);
	req->msg = *msg;
	fc_request_post(req);
	/* The host answers these soon, and a reset answers what it does not. */
	wait_for_completion(&req->done);
	*msg = req->msg;
	kfree(req);
	return msg->status;
}

static int fc_kernel_register(struct fc_kernel *k)
{
	struct fc_control create = { .op = FC_CTL_CLIENT_CREATE, .flags = FC_CLIENT_KERNEL };
	struct fc_control arena = { .op = FC_CTL_REGION_ADD,
				    .flags = FC_REGION_ARENA | FC_REGION_WRITE };
	int ret = fc_kernel_request(k, &create);

	if (ret)
		return ret;
	k->number = create.client;
	k->serial = create.arg[0];
	k->host_uid = lower_32_bits(create.arg[1]);
	k->host_gid = upper_32_bits(create.arg[1]);
	arena.client = k->number;
	arena.arg[0] = virt_to_phys(k->arena.segments.table);
	arena.arg[1] = k->arena.segments.count;
	ret = fc_kernel_request(k, &arena);
	return !ret && arena.arg[0] ? -EPROTO : ret;
}

static int fc_kernel_open_rings(struct fc_kernel *k)
{
	u32 want = min(FC_KRINGS, num_online_cpus());

	while (k->n_rings < want) {
		struct fc_kring *r = fc_kring_create(k);

		if (IS_ERR(r))
			return k->n_rings ? 0 : PTR_ERR(r);
		k->rings[k->n_rings++] = r;
	}
	return 0;
}

/* Runs as work, so that it is not charged to the process that came first, nor killed with it. */
static void fc_kernel_start_work(struct work_struct *work)
{
	struct fc_kernel *k = container_of(work, struct fc_kernel, start);

	if (k->ready || k->dead)
		return;
	k->error = fc_kbuf_setup(k);
	if (k->error)
		return;
	k->error = fc_kernel_register(k);
	if (!k->error)
		k->error = fc_kernel_open_rings(k);
	if (k->error) {
		if (!READ_ONCE(k->dead))
			dev_err(&k->dev->pdev->dev, "the kernel's own client: error %d\n",
				k->error);
		WRITE_ONCE(k->dead, true);
		return;
	}
	fc_segments_free(&k->arena.segments);
	smp_store_release(&k->ready, true);
}

int fc_kernel_start(struct fc_kernel *k)
{
	if (unlikely(!smp_load_acquire(&k->ready))) {
		might_sleep();
		queue_work(system_unbound_wq, &k->start);
		flush_work(&k->start);
		if (!smp_load_acquire(&k->ready))
			return READ_ONCE(k->dead) ? -ENODEV : k->error;
	}
	return READ_ONCE(k->dead) ? -ENODEV : 0;
}

void fc_kernel_user(struct fc_kernel *k, u32 *uid, u32 *gid)
{
	*uid = k->host_uid;
	*gid = k->host_gid;
}

struct fc_kernel *fc_kernel_create(struct fc_device *dev)
{
	struct fc_kernel *k = kzalloc(sizeof(*k), GFP_KERNEL);

	if (!k)
		return NULL;
	kref_init(&k->refs);
	k->dev = dev;
	INIT_WORK(&k->start, fc_kernel_start_work);
	fc_kids_init(&k->call_ids, k);
	spin_lock_init(&k->buf_lock);
	init_waitqueue_head(&k->buf_wait);
	return k;
}

/* By now the device is gone, or the client was never used. */
static void fc_kernel_free(struct kref *refs)
{
	struct fc_kernel *k = container_of(refs, struct fc_kernel, refs);
	u32 i;

	for (i = 0; i < k->n_rings; i++)
		fc_kring_free(k->rings[i]);
	fc_kbuf_teardown(k);
	kfree(k);
}

void fc_kernel_get(struct fc_kernel *k)
{
	kref_get(&k->refs);
}

void fc_kernel_put(struct fc_kernel *k)
{
	kref_put(&k->refs, fc_kernel_free);
}

void fc_kernel_halt(struct fc_kernel *k)
{
	u32 i;

	WRITE_ONCE(k->dead, true);
	if (smp_load_acquire(&k->ready))
		for (i = 0; i < k->n_rings; i++)
			fc_kring_die(k->rings[i]);
	wake_up_all(&k->call_ids.wait);
	wake_up_all(&k->buf_wait);
}

/* After fc_control_reset(), while interrupts are still there: the host uses none of its memory any
 * more. */
void fc_kernel_stop(struct fc_kernel *k)
{
	u32 i;

	WRITE_ONCE(k->dead, true);
	cancel_work_sync(&k->start);
	fc_kids_stop(&k->call_ids);
	for (i = 0; i < k->n_rings; i++)
		fc_listener_leave(&k->rings[i]->listener);
	fc_kernel_halt(k);
	/* Doorbells are rung with preemption disabled. */
	synchronize_rcu();
	for (i = 0; i < k->n_rings; i++) {
		iounmap(k->rings[i]->doorbell_page);
		k->rings[i]->doorbell_page = NULL;
	}
}

void fc_kernel_show(struct fc_kernel *k, struct seq_file *m)
{
	u32 i;

	if (!smp_load_acquire(&k->ready))
		return;
	seq_printf(m, "kernel serial %u arena_bytes %lu free_bytes %u\n", k->serial,
		   k->arena.n_pages << PAGE_SHIFT, READ_ONCE(k->free_units) << 8);
	for (i = 0; i < k->n_rings; i++) {
		struct fc_kring *r = k->rings[i];

		seq_printf(m,
			   " channel %u vector %u status %u posted %u in_flight %u sleeps %llu "
			   "interrupts %llu\n",
			   r->number, r->listener.vector->index,
			   fc_load_relaxed(&r->header->status), READ_ONCE(r->posted),
			   READ_ONCE(r->in_flight), READ_ONCE(r->sleeps), READ_ONCE(r->interrupts));
	}
}
