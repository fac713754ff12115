// SPDX-License-Identifier: GPL-2.0-only
/* Channels: their memory, and their life on the host. */
#include <linux/anon_inodes.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "farcall.h"

static void fc_channel_free(struct kref *refs)
{
	struct fc_channel *ch = container_of(refs, struct fc_channel, refs);
	struct fc_client *client = ch->client;

	fc_listener_leave(&ch->listener);
	fc_memory_free(ch->memory, ch->bytes);
	kfree(ch);
	fc_client_put(client);
}

void fc_channel_put(struct fc_channel *ch)
{
	kref_put(&ch->refs, fc_channel_free);
}

static int fc_channel_check(struct fc_client *client, const struct fc_ioc_channel *arg)
{
	const struct fc_limits *l = &client->dev->limits;

	if (arg->reserved || arg->flags & ~FC_CHANNEL_TIMESTAMPS)
		return -EINVAL;
	if (arg->flags & FC_CHANNEL_TIMESTAMPS && !(l->features & FC_FEATURE_TIMESTAMPS))
		return -EINVAL;
	if (!fc_ring_sizes_ok(arg->command_slots, arg->event_slots) ||
	    arg->command_slots > l->max_command_slots || arg->event_slots > l->max_event_slots)
		return -EINVAL;
	return 0;
}

/* A channel that nobody knows yet, with one reference; already woken by its vector's interrupts. */
static struct fc_channel *fc_channel_alloc(struct fc_client *client,
					   const struct fc_ioc_channel *arg)
{
	bool ts = arg->flags & FC_CHANNEL_TIMESTAMPS;
	struct fc_channel *ch = kzalloc(sizeof(*ch), GFP_KERNEL_ACCOUNT);

	if (!ch)
		return NULL;
	ch->event_size = ts ? sizeof(struct fc_event_ts) : sizeof(struct fc_event);
	ch->command_slots = arg->command_slots;
	ch->event_slots = arg->event_slots;
	ch->bytes = fc_channel_bytes(ch->command_slots, ch->event_slots, ch->event_size);
	ch->memory = fc_memory_alloc(ch->bytes, 0);
	if (!ch->memory) {
		kfree(ch);
		return NULL;
	}
	ch->header = ch->memory;
	ch->events = ch->memory + fc_events_offset(ch->command_slots);
	kref_init(&ch->refs);
	INIT_LIST_HEAD(&ch->link);
	init_waitqueue_head(&ch->wait);
	fc_client_get(client);
	ch->client = client;
	ch->listener.interrupt = fc_channel_interrupt;
	fc_listener_join(client->dev, &ch->listener);
	return ch;
}

/* The host is done with the channel. */
static void fc_channel_destroyed(struct fc_request *req)
{
	struct fc_channel *ch = container_of(req, struct fc_channel, destroy);
	struct fc_client *client = ch->client;

	if (req->msg.status && req->msg.status != -ENODEV)
		dev_err(&client->dev->pdev->dev, "CHANNEL_DESTROY of %u: error %d\n", ch->number,
			req->msg.status);
	mutex_lock(&client->lock);
	list_del_init(&ch->link);
	mutex_unlock(&client->lock);
	fc_channel_put(ch);
	fc_client_put_user(client);
}

/* Takes over a share of client->users and the host's reference. */
static void fc_channel_post_destroy(struct fc_channel *ch)
{
	fc_request_init(&ch->destroy, ch->client->dev, FC_CTL_CHANNEL_DESTROY,
			fc_channel_destroyed);
	ch->destroy.msg.client = ch->client->number;
	ch->destroy.msg.channel = ch->number;
	fc_request_post_async(&ch->destroy);
}

/* The file is gone. If the client is already going, CLIENT_DESTROY takes the channel along. */
void fc_channel_release(struct fc_channel *ch)
{
	fc_weight_leave(ch);
	if (ch->on_host && fc_client_get_user(ch->client))
		fc_channel_post_destroy(ch);
	fc_channel_put(ch);
}

/* The creator was killed before the host answered. */
static void fc_channel_orphan(void *data, const struct fc_control *answer)
{
	struct fc_channel *ch = data;

	if (answer->status || !fc_client_get_user(ch->client)) {
		fc_channel_put(ch);
		return;
	}
	ch->number = answer->channel;
	fc_channel_post_destroy(ch);
}

/* On success, and with -EPROTO, the channel exists on the host until its file is released. */
static int fc_channel_attach(struct fc_channel *ch, u32 flags)
{
	struct fc_client *client = ch->client;
	struct fc_control msg = {
		.op = FC_CTL_CHANNEL_CREATE,
		.client = client->number,
		.flags = flags,
		.arg[0] = virt_to_phys(ch->memory),
		.arg[1] = ch->bytes,
		.arg[2] = ch->command_slots | (u64)ch->event_slots << 32,
		.arg[3] = ch->listener.vector->index,
	};
	int ret;

	kref_get(&ch->refs); /* the host's */
	ret = fc_client_call(client, &msg, fc_channel_orphan, ch);
	if (ret) {
		if (ret != -EINTR)
			fc_channel_put(ch);
		return ret;
	}
	ch->number = msg.channel;
	ch->doorbell = msg.arg[0];
	ch->on_host = true;
	mutex_lock(&client->lock);
	list_add_tail(&ch->link, &client->channels);
	ch->closed = client->closed;
	mutex_unlock(&client->lock);
	fc_weight_join(ch);
	if (ch->doorbell & 3 || ch->doorbell >= client->dev->doorbell_bytes)
		return -EPROTO;
	return 0;
}

static int fc_channel_answer(struct fc_channel *ch, int fd, struct fc_ioc_channel *arg,
			     struct fc_ioc_channel __user *user)
{
	int ret = fc_channel_attach(ch, arg->flags);

	if (ret)
		return ret;
	arg->fd = fd;
	arg->bytes = ch->bytes;
	arg->doorbell_offset = offset_in_page(ch->doorbell);
	return copy_to_user(user, arg, sizeof(*arg)) ? -EFAULT : 0;
}

/*
 * The descriptor becomes visible last, when nothing can fail any more; until then release() undoes
 * everything.
 */
long fc_channel_create(struct fc_client *client, struct fc_ioc_channel __user *user)
{
	struct fc_ioc_channel arg;
	struct fc_channel *ch;
	struct file *file;
	int fd, ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	ret = fc_channel_check(client, &arg);
	if (ret)
		return ret;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	ch = fc_channel_alloc(client, &arg);
	file = ch ? anon_inode_getfile("[farcall]", &fc_channel_fops, ch, O_RDWR | O_CLOEXEC) :
		    ERR_PTR(-ENOMEM);
	if (IS_ERR(file)) {
		if (ch)
			fc_channel_put(ch);
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	ret = fc_channel_answer(ch, fd, &arg, user);
	if (ret) {
		put_unused_fd(fd);
		fput(file);
		return ret;
	}
	fd_install(fd, file);
	return 0;
}
