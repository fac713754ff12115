// SPDX-License-Identifier: GPL-2.0-only
/* Regions: memory of the client's process, pinned for as long as the host may use it. */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "farcall.h"

#define FC_PIN_BATCH 512

/* The host is done with it. The client's mm may have no users any more, but the struct is there. */
void fc_region_free(struct fc_region *region)
{
	fc_segments_free(&region->segments);
	if (region->pinned)
		unpin_user_pages_dirty_lock(region->pages, region->pinned, region->writable);
	if (region->accounted)
		account_locked_vm(region->client->mm, region->n_pages, false);
	kvfree(region->pages);
	kfree(region);
}

static struct fc_region *fc_region_alloc(struct fc_client *client, const struct fc_ioc_region *arg)
{
	struct fc_region *region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);

	if (!region)
		return NULL;
	INIT_LIST_HEAD(&region->link);
	region->client = client;
	region->bytes = arg->bytes;
	region->writable = arg->flags & FC_REGION_WRITE;
	region->n_pages = (offset_in_page(arg->address) + arg->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	region->pages = kvmalloc_array(region->n_pages, sizeof(*region->pages),
				       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!region->pages) {
		kfree(region);
		return NULL;
	}
	return region;
}

/*
 * Pins some pages at `start`. Before 6.2, a long-term pin for reading did not break copy-on-write,
 * and the host would have gone on reading the old page after the process wrote to it. There, a
 * forced write pin does that for private mappings; shared ones which are not writable refuse it and
 * do not need it.
 */
static int fc_region_pin_some(struct fc_region *region, unsigned long start, int n,
			      struct page **pages)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	int got;

	if (!region->writable) {
		got = pin_user_pages_fast(start, n, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE, pages);
		return got == -EFAULT ? pin_user_pages_fast(start, 1, FOLL_LONGTERM, pages) : got;
	}
#endif
	return pin_user_pages_fast(start, n, FOLL_LONGTERM | (region->writable ? FOLL_WRITE : 0),
				   pages);
}

static int fc_region_pin(struct fc_region *region, unsigned long start)
{
	while (region->pinned < region->n_pages) {
		int n = min_t(unsigned long, region->n_pages - region->pinned, FC_PIN_BATCH);

		if (fatal_signal_pending(current))
			return -EINTR;
		n = fc_region_pin_some(region, start + region->pinned * PAGE_SIZE, n,
				       region->pages + region->pinned);
		if (n <= 0)
			return n ? n : -EFAULT;
		region->pinned += n;
		cond_resched();
	}
	return 0;
}

/* Everything up to what the host is told. */
static int fc_region_prepare(struct fc_region *region, const struct fc_ioc_region *arg)
{
	int ret = account_locked_vm(current->mm, region->n_pages, true);

	if (ret)
		return ret;
	region->accounted = true;
	ret = fc_region_pin(region, arg->address & PAGE_MASK);
	if (ret)
		return ret;
	return fc_segments_build(&region->segments, region->pages, region->n_pages,
				 offset_in_page(arg->address), arg->bytes);
}

/* Keeps the region until it is removed or the client is gone. */
static void fc_region_own(struct fc_region *region)
{
	struct fc_client *client = region->client;
	bool finished;

	mutex_lock(&client->lock);
	finished = client->finished;
	if (!finished) {
		list_add_tail(&region->link, &client->regions);
		client->n_regions++;
	}
	mutex_unlock(&client->lock);
	if (finished)
		fc_region_free(region);
}

/*
 * An answer to REGION_REMOVE: a region that the host did not remove stays pinned until the client
 * is gone.
 */
static void fc_region_removed(void *data, const struct fc_control *answer)
{
	if (answer->status && answer->status != -ENODEV)
		fc_region_own(data);
	else
		fc_region_free(data);
}

static void fc_region_removed_late(struct fc_request *req)
{
	struct fc_region *region = container_of(req, struct fc_region, remove);
	struct fc_client *client = region->client;

	fc_region_removed(region, &req->msg);
	fc_client_put(client);
}

/*
 * Removes without waiting a region that nobody has seen. The caller has a share of client->users.
 */
static void fc_region_abandon(struct fc_region *region)
{
	struct fc_client *client = region->client;

	fc_client_get(client);
	fc_request_init(&region->remove, client->dev, FC_CTL_REGION_REMOVE, fc_region_removed_late);
	region->remove.msg.client = client->number;
	region->remove.msg.arg[0] = region->key;
	fc_request_post_async(&region->remove);
}

/* The caller of REGION_ADD was killed before the host answered. */
static void fc_region_orphan(void *data, const struct fc_control *answer)
{
	struct fc_region *region = data;

	if (answer->status) {
		fc_region_free(region);
		return;
	}
	region->key = answer->arg[0];
	fc_segments_free(&region->segments);
	fc_region_abandon(region);
}

/* Owns the region whatever happens. */
static int fc_region_register(struct fc_region *region, struct fc_ioc_region *arg,
			      struct fc_ioc_region __user *user)
{
	struct fc_control msg = {
		.op = FC_CTL_REGION_ADD,
		.client = region->client->number,
		.flags = arg->flags,
		.arg[0] = virt_to_phys(region->segments.table),
		.arg[1] = region->segments.count,
	};
	int ret = fc_client_call(region->client, &msg, fc_region_orphan, region);

	if (ret == -EINTR)
		return ret;
	if (ret) {
		fc_region_free(region);
		return ret;
	}
	fc_segments_free(&region->segments);
	region->key = msg.arg[0];
	arg->key = region->key;
	if (copy_to_user(user, arg, sizeof(*arg))) {
		fc_region_abandon(region);
		return -EFAULT;
	}
	fc_region_own(region);
	return 0;
}

long fc_region_add(struct fc_client *client, struct fc_ioc_region __user *user)
{
	struct fc_ioc_region arg;
	struct fc_region *region;
	int ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || arg.flags & ~FC_REGION_WRITE || !arg.bytes)
		return -EINVAL;
	if (arg.bytes > client->dev->limits.max_region_bytes || arg.bytes >> PAGE_SHIFT >= INT_MAX)
		return -E2BIG;
	if (arg.address + arg.bytes < arg.address || arg.address + arg.bytes > TASK_SIZE)
		return -EFAULT;
	region = fc_region_alloc(client, &arg);
	if (!region)
		return -ENOMEM;
	ret = fc_region_prepare(region, &arg);
	if (ret) {
		fc_region_free(region);
		return ret;
	}
	return fc_region_register(region, &arg, user);
}

/* Takes the region out of the list: a second remover does not find it. */
static struct fc_region *fc_region_take(struct fc_client *client, u32 key)
{
	struct fc_region *region;

	mutex_lock(&client->lock);
	list_for_each_entry(region, &client->regions, link) {
		if (region->key == key) {
			list_del_init(&region->link);
			client->n_regions--;
			mutex_unlock(&client->lock);
			return region;
		}
	}
	mutex_unlock(&client->lock);
	return NULL;
}

long fc_region_remove(struct fc_client *client, u32 key)
{
	struct fc_control msg = { .op = FC_CTL_REGION_REMOVE,
				  .client = client->number,
				  .arg[0] = key };
	struct fc_region *region;
	int ret;

	if (!key)
		return -EBUSY;
	region = fc_region_take(client, key);
	if (!region)
		return -ENOENT;
	ret = fc_client_call(client, &msg, fc_region_removed, region);
	if (ret == -EINTR)
		return ret;
	if (ret == -ENOMEM)
		fc_region_own(region);
	else
		fc_region_removed(region, &msg);
	return ret;
}
