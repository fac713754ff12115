// SPDX-License-Identifier: GPL-2.0-only
/* The calls of /dev/farcall. */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "farcall.h"

#define FC_MAX_EXIT_STATUS 255

static long fc_ioctl_info(struct fc_client *client, void __user *user)
{
	const struct fc_limits *l = &client->dev->limits;
	struct fc_ioc_info info = {
		.version = l->version,
		.serial = READ_ONCE(client->serial),
		.features = l->features,
		.max_channels = l->max_channels,
		.max_regions = l->max_regions,
		.max_command_slots = l->max_command_slots,
		.max_event_slots = l->max_event_slots,
		.max_region_bytes = l->max_region_bytes,
		.vm_exits = readl(client->dev->regs + FC_REG_EXITS),
	};

	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long fc_ioctl_arena(struct fc_client *client, void __user *user)
{
	struct fc_ioc_arena arg;
	long ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (mutex_lock_killable(&client->setup))
		return -EINTR;
	ret = fc_arena_create(client, &arg);
	mutex_unlock(&client->setup);
	return ret;
}

static long fc_ioctl_streams(struct fc_client *client)
{
	long ret = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (mutex_lock_killable(&client->setup))
		return -EINTR;
	if (client->created || client->stuck)
		ret = -EEXIST;
	else
		client->streams = true;
	mutex_unlock(&client->setup);
	return ret;
}

static long fc_ioctl_near(struct fc_client *client, void __user *user)
{
	u32 serial;
	long ret = 0;

	if (copy_from_user(&serial, user, sizeof(serial)))
		return -EFAULT;
	if (!serial)
		return -EINVAL;
	if (mutex_lock_killable(&client->setup))
		return -EINTR;
	if (client->created || client->stuck)
		ret = -EEXIST;
	else
		client->near_serial = serial;
	mutex_unlock(&client->setup);
	return ret;
}

static long fc_ioctl_region_remove(struct fc_client *client, void __user *user)
{
	u32 key;

	if (copy_from_user(&key, user, sizeof(key)))
		return -EFAULT;
	return fc_region_remove(client, key);
}

static long fc_ioctl_event_ids(struct fc_client *client, void __user *user)
{
	struct fc_control msg = { .op = FC_CTL_EVENT_IDS, .client = client->number };
	struct fc_ioc_ids arg;
	long ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.reserved || !arg.count || arg.count > FC_MAX_ID_REQUEST)
		return -EINVAL;
	arg.count = round_up(arg.count, FC_ID_BLOCK);
	msg.arg[0] = arg.count;
	ret = fc_client_call(client, &msg, NULL, NULL);
	if (ret)
		return ret;
	arg.first = msg.arg[0];
	return copy_to_user(user, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static long fc_ioctl_vm_exit(struct fc_client *client, void __user *user)
{
	struct fc_control msg = { .op = FC_CTL_VM_EXIT };
	u32 status;

	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (copy_from_user(&status, user, sizeof(status)))
		return -EFAULT;
	if (status > FC_MAX_EXIT_STATUS)
		return -EINVAL;
	msg.arg[0] = status;
	return fc_client_call(client, &msg, NULL, NULL);
}

/* Calls of a client that is on the host and has its arena. */
static long fc_ioctl_ready(struct fc_client *client, unsigned int cmd, void __user *user)
{
	if (!smp_load_acquire(&client->ready))
		return -ENXIO;
	switch (cmd) {
	case FC_IOC_CHANNEL:
		return fc_channel_create(client, user);
	case FC_IOC_REGION_ADD:
		return fc_region_add(client, user);
	case FC_IOC_REGION_REMOVE:
		return fc_ioctl_region_remove(client, user);
	default:
		return fc_ioctl_event_ids(client, user);
	}
}

static long fc_ioctl(struct fc_client *client, unsigned int cmd, void __user *user)
{
	switch (cmd) {
	case FC_IOC_INFO:
		return fc_ioctl_info(client, user);
	case FC_IOC_ARENA:
		return fc_ioctl_arena(client, user);
	case FC_IOC_STREAMS:
		return fc_ioctl_streams(client);
	case FC_IOC_NEAR:
		return fc_ioctl_near(client, user);
	case FC_IOC_VM_EXIT:
		return fc_ioctl_vm_exit(client, user);
	case FC_IOC_CHANNEL:
	case FC_IOC_REGION_ADD:
	case FC_IOC_REGION_REMOVE:
	case FC_IOC_EVENT_IDS:
		return fc_ioctl_ready(client, cmd, user);
	default:
		return -ENOTTY;
	}
}

long fc_client_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct fc_client *client = file->private_data;
	long ret;

	/* Nothing of the client's: whoever has the descriptor may. */
	if (cmd == FC_IOC_SOCKET)
		return fc_sock_create(client->dev, (void __user *)arg);
	if (current->mm != client->mm)
		return -EPERM;
	if (!fc_client_get_user(client))
		return -ENODEV;
	atomic64_inc(&client->ioctls);
	ret = fc_ioctl(client, cmd, (void __user *)arg);
	fc_client_put_user(client);
	return ret;
}
