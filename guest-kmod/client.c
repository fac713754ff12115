// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients: one per open of /dev/farcall, bound to the opener's memory. farcall.h explains the two
 * counts.
 *
 * A client ends when its file is released, or earlier, when its process exits or execs while a
 * child or a receiver of the descriptor keeps the file open: nobody else could use it, so nothing
 * of it may stay pinned for them.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "farcall.h"

void fc_client_get(struct fc_client *client)
{
	kref_get(&client->refs);
}

static void fc_client_free(struct kref *refs)
{
	struct fc_client *client = container_of(refs, struct fc_client, refs);
	struct fc_device *dev = client->dev;

	mutex_destroy(&client->weight.lock);
	mutex_destroy(&client->lock);
	mutex_destroy(&client->setup);
	put_pid(client->tgid);
	mmdrop(client->mm);
	kfree(client);
	/* Last: remove() frees the device when this was the last client. */
	if (refcount_dec_and_test(&dev->live))
		complete(&dev->idle);
}

void fc_client_put(struct fc_client *client)
{
	kref_put(&client->refs, fc_client_free);
}

/* Wakes everybody who sleeps on a channel of the client: they get -EPIPE or POLLHUP. */
void fc_client_close_channels(struct fc_client *client)
{
	struct fc_channel *ch;

	mutex_lock(&client->lock);
	client->closed = true;
	list_for_each_entry(ch, &client->channels, link) {
		WRITE_ONCE(ch->closed, true);
		wake_up_all(&ch->wait);
	}
	mutex_unlock(&client->lock);
}

/*
 * The host does not know the client any more, and nobody else can get at its channels, regions and
 * arena.
 */
static void fc_client_finish(struct fc_client *client)
{
	struct fc_region *region, *next_region;
	struct fc_channel *ch, *next_ch;
	LIST_HEAD(channels);
	LIST_HEAD(regions);

	mutex_lock(&client->dev->lock);
	list_del(&client->link);
	mutex_unlock(&client->dev->lock);

	mutex_lock(&client->lock);
	client->finished = true;
	list_splice_init(&client->channels, &channels);
	list_splice_init(&client->regions, &regions);
	mutex_unlock(&client->lock);
	list_for_each_entry_safe(ch, next_ch, &channels, link) {
		list_del_init(&ch->link);
		fc_channel_put(ch);
	}
	list_for_each_entry_safe(region, next_region, &regions, link) {
		list_del_init(&region->link);
		fc_region_free(region);
	}
	fc_arena_free(&client->arena);
	fc_client_put(client);
}

static void fc_client_destroyed(struct fc_request *req)
{
	struct fc_client *client = container_of(req, struct fc_client, destroy);

	/*
	 * The request has finished, so the host is done with the client even if it says that it did
	 * not know it.
	 */
	if (req->msg.status && req->msg.status != -ENODEV)
		dev_err(&client->dev->pdev->dev, "CLIENT_DESTROY of %u: error %d\n", client->number,
			req->msg.status);
	fc_client_finish(client);
}

bool fc_client_get_user(struct fc_client *client)
{
	return refcount_inc_not_zero(&client->users);
}

void fc_client_put_user(struct fc_client *client)
{
	if (!refcount_dec_and_test(&client->users))
		return;
	fc_client_close_channels(client);
	if (!client->created) {
		fc_client_finish(client);
		return;
	}
	fc_control_forget(client->dev, client->number);
	fc_request_init(&client->destroy, client->dev, FC_CTL_CLIENT_DESTROY, fc_client_destroyed);
	client->destroy.msg.client = client->number;
	fc_request_post_async(&client->destroy);
}

/* A request on behalf of a caller of an ioctl. It lives on by itself when the caller is killed. */
struct fc_errand {
	struct fc_request req;
	struct fc_client *client;
	fc_orphan_fn orphan;
	void *data;
};

static void fc_errand_free(struct fc_errand *call)
{
	struct fc_client *client = call->client;
	bool slow = call->req.queue == FC_QUEUE_REMOVE;

	kfree(call);
	if (slow)
		fc_client_put(client);
	else
		fc_client_put_user(client);
}

static void fc_errand_late(struct fc_request *req)
{
	struct fc_errand *call = container_of(req, struct fc_errand, req);

	if (call->orphan)
		call->orphan(call->data, &req->msg);
	fc_errand_free(call);
}

/*
 * Posts *msg and waits for the answer, which replaces it. Returns the host's status. -EINTR: the
 * caller is being killed; orphan(data, answer) will be called later, in process context and with
 * the client still in use (after REGION_REMOVE: not yet freed), and owns what data stands for from
 * now on. The caller has a share of client->users.
 */
int fc_client_call(struct fc_client *client, struct fc_control *msg, fc_orphan_fn orphan,
		   void *data)
{
	struct fc_errand *call = kzalloc(sizeof(*call), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!call)
		return -ENOMEM;
	fc_request_init(&call->req, client->dev, msg->op, fc_errand_late);
	call->req.msg = *msg;
	call->client = client;
	call->orphan = orphan;
	call->data = data;
	if (call->req.queue == FC_QUEUE_REMOVE)
		fc_client_get(client);
	else
		refcount_inc(&client->users);
	fc_request_post(&call->req);
	ret = fc_request_wait(&call->req, MAX_SCHEDULE_TIMEOUT);
	if (ret)
		return -EINTR;
	*msg = call->req.msg;
	fc_errand_free(call);
	return msg->status;
}

static struct fc_client *fc_client_alloc(struct fc_device *dev)
{
	struct fc_client *client = kzalloc(sizeof(*client), GFP_KERNEL_ACCOUNT);

	if (!client)
		return NULL;
	client->dev = dev;
	kref_init(&client->refs); /* the host side's, put by fc_client_finish() */
	refcount_set(&client->users, 1); /* the file's, put by fc_client_file_gone() */
	kref_get(&client->refs); /* the file's */
	mmgrab(current->mm);
	client->mm = current->mm;
	client->tgid = get_pid(task_tgid(current));
	mutex_init(&client->setup);
	mutex_init(&client->lock);
	INIT_LIST_HEAD(&client->channels);
	INIT_LIST_HEAD(&client->regions);
	fc_weight_client_init(client);
	refcount_inc(&dev->live);
	return client;
}

static int fc_client_open(struct inode *inode, struct file *file)
{
	struct fc_device *dev = container_of(file->private_data, struct fc_device, misc);
	struct fc_client *client;

	if (!current->mm)
		return -EINVAL;
	client = fc_client_alloc(dev);
	if (!client)
		return -ENOMEM;
	file->private_data = client;
	mutex_lock(&dev->lock);
	list_add_tail(&client->link, &dev->clients);
	mutex_unlock(&dev->lock);
	return 0;
}

static void fc_client_file_gone(struct fc_client *client)
{
	if (test_and_set_bit(0, &client->file_gone))
		return;
	fc_weight_client_close(client);
	fc_client_put_user(client);
}

/* Called for each close(), also by exit and by exec, both of which have left the old mm by then. */
static int fc_client_flush(struct file *file, fl_owner_t id)
{
	struct fc_client *client = file->private_data;

	if (task_tgid(current) == client->tgid && current->mm != client->mm)
		fc_client_file_gone(client);
	return 0;
}

static int fc_client_release(struct inode *inode, struct file *file)
{
	struct fc_client *client = file->private_data;

	fc_client_file_gone(client);
	fc_client_put(client);
	return 0;
}

static int fc_client_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct fc_client *client = file->private_data;
	int ret;

	if (vma->vm_mm != client->mm)
		return -EPERM;
	if (!fc_client_get_user(client))
		return -ENODEV;
	ret = fc_arena_mmap(client, vma);
	fc_client_put_user(client);
	return ret;
}

const struct file_operations fc_client_fops = {
	.owner = THIS_MODULE,
	.open = fc_client_open,
	.flush = fc_client_flush,
	.release = fc_client_release,
	.mmap = fc_client_mmap,
	.unlocked_ioctl = fc_client_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
