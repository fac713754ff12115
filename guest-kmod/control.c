// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control page: requests to the host and their answers.
 *
 * Every request is queued, then moved to a free slot and posted, all under control_lock, so that
 * nothing is posted once the device is being reset. An answer is seen after a post (the host may be
 * quick) or at an interrupt of vector 0; both call fc_control_reap(), which may be called at any
 * time, from any context.
 *
 * REGION_REMOVE may take as long as a command that nothing ends but CLIENT_DESTROY, and that may
 * take as long as the host lets detached commands of a dead process go on. Neither gets all the
 * slots, and neither keeps another kind waiting.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "farcall.h"

#define FC_POLL_MS 1

static const u32 fc_queue_slots[FC_QUEUES] = {
	[FC_QUEUE_QUICK] = FC_CONTROL_SLOTS,
	[FC_QUEUE_DESTROY] = FC_CONTROL_SLOTS * 3 / 8,
	[FC_QUEUE_REMOVE] = FC_CONTROL_SLOTS * 3 / 8,
};

static void fc_request_work(struct work_struct *work)
{
	struct fc_request *req = container_of(work, struct fc_request, work);

	req->late(req);
}

void fc_request_init(struct fc_request *req, struct fc_device *dev, u32 op,
		     void (*late)(struct fc_request *))
{
	memset(&req->msg, 0, sizeof(req->msg));
	req->msg.op = op;
	req->dev = dev;
	req->late = late;
	req->queue = op == FC_CTL_REGION_REMOVE  ? FC_QUEUE_REMOVE :
		     op == FC_CTL_CLIENT_DESTROY ? FC_QUEUE_DESTROY :
						   FC_QUEUE_QUICK;
	req->async = false;
	req->finished = false;
	INIT_LIST_HEAD(&req->link);
	init_completion(&req->done);
	INIT_WORK(&req->work, fc_request_work);
}

/* control_lock held. A waiter may free the request as soon as the lock is dropped. */
static void fc_request_finish(struct fc_request *req, s32 status)
{
	/*
	 * -EINTR means "your caller was killed" to callers of fc_client_call(), and is not the
	 * host's to say.
	 */
	if (status > 0 || status < -MAX_ERRNO || status == -EINTR)
		status = -EPROTO;
	req->msg.status = status;
	req->finished = true;
	if (req->async)
		queue_work(req->dev->wq, &req->work);
	else
		complete(&req->done);
}

/* control_lock held. */
static void fc_control_collect(struct fc_device *dev)
{
	unsigned int slot;

	for_each_set_bit(slot, dev->busy, FC_CONTROL_SLOTS) {
		struct fc_control *entry = &dev->control[slot];
		s32 status = smp_load_acquire(&entry->status);
		struct fc_request *req = dev->slots[slot];

		if (status == FC_CONTROL_PENDING)
			continue;
		req->msg = *entry;
		dev->n_posted[req->queue]--;
		dev->slots[slot] = NULL;
		__clear_bit(slot, dev->busy);
		fc_request_finish(req, status);
	}
}

/* control_lock held. The request to post next, still in its queue, or NULL. */
static struct fc_request *fc_control_next(struct fc_device *dev)
{
	unsigned int i;

	for (i = 0; i < FC_QUEUES; i++) {
		if (dev->n_posted[i] < fc_queue_slots[i] && !list_empty(&dev->queues[i]))
			return list_first_entry(&dev->queues[i], struct fc_request, link);
	}
	return NULL;
}

/* control_lock held. Posts one queued request; false when there is none, or no slot. */
static bool fc_control_post_next(struct fc_device *dev)
{
	struct fc_request *req = fc_control_next(dev);
	unsigned int slot = find_first_zero_bit(dev->busy, FC_CONTROL_SLOTS);

	if (slot >= FC_CONTROL_SLOTS || !req)
		return false;
	list_del_init(&req->link);
	dev->n_posted[req->queue]++;
	__set_bit(slot, dev->busy);
	dev->slots[slot] = req;
	dev->control[slot] = req->msg;
	smp_store_release(&dev->control[slot].status, FC_CONTROL_PENDING);
	dev->requests++;
	writel(slot, dev->regs + FC_REG_CONTROL_POST);
	return true;
}

void fc_control_reap(struct fc_device *dev)
{
	unsigned long flags;

	spin_lock_irqsave(&dev->control_lock, flags);
	if (dev->state == FC_STATE_RUNNING) {
		do
			fc_control_collect(dev);
		while (fc_control_post_next(dev));
	}
	spin_unlock_irqrestore(&dev->control_lock, flags);
}

/*
 * Fails the REGION_REMOVEs of a client that are not posted yet. To be called before the host is told
 * to destroy the client: after that its number may mean another one.
 */
void fc_control_forget(struct fc_device *dev, u32 client)
{
	struct fc_request *req, *next;
	unsigned long flags;

	spin_lock_irqsave(&dev->control_lock, flags);
	list_for_each_entry_safe(req, next, &dev->queues[FC_QUEUE_REMOVE], link) {
		if (req->msg.client != client)
			continue;
		list_del_init(&req->link);
		fc_request_finish(req, -ENOENT);
	}
	spin_unlock_irqrestore(&dev->control_lock, flags);
}

/* Hands the request to the host. It must stay until it has finished: see fc_request_wait(). */
void fc_request_post(struct fc_request *req)
{
	struct fc_device *dev = req->dev;
	unsigned long flags;

	spin_lock_irqsave(&dev->control_lock, flags);
	if (dev->state == FC_STATE_DEAD)
		fc_request_finish(req, -ENODEV);
	else
		list_add_tail(&req->link, &dev->queues[req->queue]);
	spin_unlock_irqrestore(&dev->control_lock, flags);
	fc_control_reap(dev);
}

/* The same when nobody will wait: req->late runs when the host has finished. Never sleeps. */
void fc_request_post_async(struct fc_request *req)
{
	req->async = true;
	fc_request_post(req);
}

/*
 * 0: finished, req->msg is the answer. -EINTR (killed) or -ETIMEDOUT: not finished, the request now
 * belongs to its late function and must not be touched any more.
 */
int fc_request_wait(struct fc_request *req, long timeout)
{
	struct fc_device *dev = req->dev;
	long left = wait_for_completion_killable_timeout(&req->done, timeout);
	unsigned long flags;
	int ret = 0;

	if (left > 0)
		return 0;
	spin_lock_irqsave(&dev->control_lock, flags);
	if (!req->finished) {
		req->async = true;
		ret = left ? -EINTR : -ETIMEDOUT;
	}
	spin_unlock_irqrestore(&dev->control_lock, flags);
	return ret;
}

/*
 * Resets the device and waits until the host has let go of everything; timeout_ms 0 waits for ever.
 */
int fc_device_reset(struct fc_device *dev, unsigned int timeout_ms)
{
	unsigned int waited;

	writel(1, dev->regs + FC_REG_RESET);
	for (waited = 0; readl(dev->regs + FC_REG_RESET); waited += FC_POLL_MS) {
		if (timeout_ms && waited >= timeout_ms)
			return -ETIMEDOUT;
		if (waited && waited % 10000 == 0)
			dev_warn(&dev->pdev->dev,
				 "still waiting for the host to reset the device\n");
		msleep(FC_POLL_MS);
	}
	return 0;
}

/* After a reset: gives the host the control page. */
int fc_control_start(struct fc_device *dev)
{
	u64 address;

	BUILD_BUG_ON(FC_CONTROL_SLOTS * sizeof(struct fc_control) > PAGE_SIZE);
	dev->control = (struct fc_control *)get_zeroed_page(GFP_KERNEL);
	if (!dev->control)
		return -ENOMEM;
	dev->wq = alloc_workqueue("farcall", WQ_UNBOUND, 0);
	if (!dev->wq) {
		free_page((unsigned long)dev->control);
		dev->control = NULL;
		return -ENOMEM;
	}
	address = virt_to_phys(dev->control);
	writel(lower_32_bits(address), dev->regs + FC_REG_CONTROL_LO);
	writel(upper_32_bits(address), dev->regs + FC_REG_CONTROL_HI);
	dev->state = FC_STATE_RUNNING;
	return 0;
}

/*
 * Nothing is posted any more and the host lets go of all guest memory; requests in flight do not
 * finish.
 */
void fc_control_quiesce(struct fc_device *dev, unsigned int timeout_ms)
{
	spin_lock_irq(&dev->control_lock);
	dev->state = FC_STATE_RESETTING;
	spin_unlock_irq(&dev->control_lock);
	if (fc_device_reset(dev, timeout_ms))
		dev_err(&dev->pdev->dev, "the host did not finish the reset\n");
	writel(0, dev->regs + FC_REG_CONTROL_LO);
	writel(0, dev->regs + FC_REG_CONTROL_HI);
}

/* The same for good: then fails what is in flight, so that its memory can go. */
void fc_control_reset(struct fc_device *dev)
{
	struct fc_request *req, *next;
	unsigned int slot, i;

	fc_control_quiesce(dev, 0);
	spin_lock_irq(&dev->control_lock);
	dev->state = FC_STATE_DEAD;
	for_each_set_bit(slot, dev->busy, FC_CONTROL_SLOTS) {
		fc_request_finish(dev->slots[slot], -ENODEV);
		dev->slots[slot] = NULL;
	}
	bitmap_zero(dev->busy, FC_CONTROL_SLOTS);
	for (i = 0; i < FC_QUEUES; i++) {
		list_for_each_entry_safe(req, next, &dev->queues[i], link) {
			list_del_init(&req->link);
			fc_request_finish(req, -ENODEV);
		}
	}
	spin_unlock_irq(&dev->control_lock);
}

/* After fc_control_reset(), interrupts gone, nobody left who could post. */
void fc_control_free(struct fc_device *dev)
{
	destroy_workqueue(dev->wq);
	free_page((unsigned long)dev->control);
}
