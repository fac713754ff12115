// SPDX-License-Identifier: GPL-2.0-only
/* The channel's descriptor: mapping its memory, sleeping, polling. */
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "farcall.h"

/* The event index comes from memory that the client writes: read it once, and mask it. */
static bool fc_channel_pending(struct fc_channel *ch)
{
	u32 head = fc_load_relaxed(&ch->header->event_head);
	struct fc_event event;

	return fc_event_read(fc_event_slot(ch->events, ch->event_slots - 1, ch->event_size, head),
			     head, &event);
}

static bool fc_channel_dead(struct fc_channel *ch)
{
	return READ_ONCE(ch->closed) || fc_load_relaxed(&ch->header->status) != FC_CHANNEL_OK;
}

/* Should a sleeper look again? Any context. See irq.c for why a cleared client_armed is enough. */
static bool fc_channel_woken(struct fc_channel *ch)
{
	return !fc_load_relaxed(&ch->header->client_armed) || fc_channel_pending(ch) ||
	       fc_channel_dead(ch);
}

void fc_channel_interrupt(struct fc_listener *listener)
{
	struct fc_channel *ch = container_of(listener, struct fc_channel, listener);

	/* Its barrier pairs with the one between a sleeper's queueing and its look at client_armed. */
	if (!wq_has_sleeper(&ch->wait) || !fc_channel_woken(ch))
		return;
	atomic64_inc(&ch->interrupts);
	wake_up(&ch->wait);
}

static long fc_channel_sleep(struct fc_channel *ch, s64 timeout_ns)
{
	long ret;

	if (!timeout_ns)
		return -ETIME;
	atomic64_inc(&ch->sleeps);
	fc_weight_sleep(ch, true);
	ret = wait_event_interruptible_hrtimeout(ch->wait, fc_channel_woken(ch),
						 timeout_ns < 0 ? KTIME_MAX :
								  ns_to_ktime(timeout_ns));
	fc_weight_woken(ch);
	if (!ret)
		atomic64_inc(&ch->wakes);
	/* The timeout is relative: restarting the call would start it anew. */
	return ret == -ERESTARTSYS ? -EINTR : ret;
}

static long fc_channel_wait(struct fc_channel *ch, const struct fc_ioc_wait *arg)
{
	long ret = 0;

	if (arg->reserved)
		return -EINVAL;
	atomic64_inc(&ch->waits);
	fc_full_barrier();
	if (!fc_channel_woken(ch))
		ret = fc_channel_sleep(ch, arg->timeout_ns);
	return fc_channel_dead(ch) ? -EPIPE : ret;
}

static long fc_channel_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct fc_channel *ch = file->private_data;
	struct fc_ioc_wait arg;

	if (current->mm != ch->client->mm)
		return -EPERM;
	if (cmd != FC_IOC_WAIT)
		return -ENOTTY;
	if (copy_from_user(&arg, (void __user *)user, sizeof(arg)))
		return -EFAULT;
	return fc_channel_wait(ch, &arg);
}

/*
 * Arms on behalf of the caller, always: an edge-triggered epoll wants an interrupt for later events
 * although some are pending. A woken poller comes back here, and so arms anew.
 */
static __poll_t fc_channel_poll(struct file *file, poll_table *wait)
{
	struct fc_channel *ch = file->private_data;
	__poll_t mask = 0;

	atomic64_inc(&ch->polls);
	poll_wait(file, &ch->wait, wait);
	fc_arm(&ch->header->client_armed);
	fc_weight_sleep(ch, false);
	if (fc_channel_pending(ch))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (fc_channel_dead(ch))
		mask |= EPOLLHUP | EPOLLERR;
	return mask;
}

static int fc_channel_mmap_ring(struct fc_channel *ch, struct vm_area_struct *vma)
{
	unsigned long offset;
	int ret = 0;

	if (vma->vm_end - vma->vm_start != PAGE_ALIGN(ch->bytes))
		return -EINVAL;
	for (offset = 0; !ret && offset < ch->bytes; offset += PAGE_SIZE)
		ret = vm_insert_page(vma, vma->vm_start + offset,
				     virt_to_page(ch->memory + offset));
	return ret;
}

static int fc_channel_mmap_doorbell(struct fc_channel *ch, struct vm_area_struct *vma)
{
	phys_addr_t page = ch->client->dev->doorbells + (ch->doorbell & PAGE_MASK);

	if (vma->vm_end - vma->vm_start != PAGE_SIZE || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	if (READ_ONCE(ch->closed))
		return -ENODEV;
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	return io_remap_pfn_range(vma, vma->vm_start, page >> PAGE_SHIFT, PAGE_SIZE,
				  vma->vm_page_prot);
}

static int fc_channel_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct fc_channel *ch = file->private_data;

	if (vma->vm_mm != ch->client->mm)
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	fc_vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND);
	if (vma->vm_pgoff == FC_MMAP_DOORBELL >> PAGE_SHIFT)
		return fc_channel_mmap_doorbell(ch, vma);
	return vma->vm_pgoff ? -EINVAL : fc_channel_mmap_ring(ch, vma);
}

static int fc_channel_file_release(struct inode *inode, struct file *file)
{
	fc_channel_release(file->private_data);
	return 0;
}

const struct file_operations fc_channel_fops = {
	.owner = THIS_MODULE,
	.release = fc_channel_file_release,
	.mmap = fc_channel_mmap,
	.poll = fc_channel_poll,
	.unlocked_ioctl = fc_channel_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
