// SPDX-License-Identifier: GPL-2.0-only
/* debugfs farcall/clients: what is there, and how often the kernel was needed. Root only. */
#include <linux/debugfs.h>
#include <linux/pid.h>
#include <linux/seq_file.h>

#include "farcall.h"
#include "kcall.h"

static u64 fc_count(atomic64_t *counter)
{
	return atomic64_read(counter);
}

static void fc_show_client(struct seq_file *m, struct fc_client *client)
{
	struct fc_channel *ch;

	mutex_lock(&client->lock);
	seq_printf(m, "client serial %u pid %d arena_bytes %lu regions %u ioctls %llu%s\n",
		   client->serial, pid_nr(client->tgid),
		   client->ready ? client->arena.n_pages << PAGE_SHIFT : 0, client->n_regions,
		   fc_count(&client->ioctls), client->closed ? " closing" : "");
	list_for_each_entry(ch, &client->channels, link) {
		seq_printf(m, " channel %u vector %u commands %u events %u status %u", ch->number,
			   ch->listener.vector->index, ch->command_slots, ch->event_slots,
			   fc_load_relaxed(&ch->header->status));
		seq_printf(m, " waits %llu sleeps %llu wakes %llu polls %llu interrupts %llu\n",
			   fc_count(&ch->waits), fc_count(&ch->sleeps), fc_count(&ch->wakes),
			   fc_count(&ch->polls), fc_count(&ch->interrupts));
	}
	mutex_unlock(&client->lock);
}

static int fc_clients_show(struct seq_file *m, void *unused)
{
	struct fc_device *dev = m->private;
	struct fc_client *client;
	u32 i;

	seq_printf(m, "control requests %llu interrupts %llu\n", READ_ONCE(dev->requests),
		   READ_ONCE(dev->control_interrupts));
	for (i = 0; i < dev->n_vectors; i++)
		seq_printf(m, "vector %u channels %d interrupts %llu\n", i + 1,
			   atomic_read(&dev->vectors[i].load),
			   READ_ONCE(dev->vectors[i].interrupts));
	fc_kernel_show(dev->kernel, m);
	mutex_lock(&dev->lock);
	list_for_each_entry(client, &dev->clients, link)
		fc_show_client(m, client);
	mutex_unlock(&dev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(fc_clients);
DEFINE_SHOW_ATTRIBUTE(fc_weight);

void fc_debugfs_create(struct fc_device *dev)
{
	dev->debugfs = debugfs_create_dir("farcall", NULL);
	debugfs_create_file("clients", 0400, dev->debugfs, dev, &fc_clients_fops);
	debugfs_create_file("weights", 0400, dev->debugfs, dev, &fc_weight_fops);
}

void fc_debugfs_remove(struct fc_device *dev)
{
	debugfs_remove_recursive(dev->debugfs);
}
