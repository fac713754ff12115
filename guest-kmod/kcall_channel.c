// SPDX-License-Identifier: GPL-2.0-only
/* Channels of the kernel's own client: their memory, and their life on the host. */
#include <linux/slab.h>

#include "kcall.h"
#include "kcall_impl.h"

static struct fc_kring *fc_kring_alloc(struct fc_kernel *k)
{
	struct fc_kring *r = kzalloc(sizeof(*r), GFP_KERNEL);

	if (!r)
		return NULL;
	r->kernel = k;
	r->bytes = fc_channel_bytes(FC_KRING_COMMANDS, FC_KRING_EVENTS, sizeof(struct fc_event));
	r->memory = fc_memory_alloc(r->bytes, 0);
	if (!r->memory) {
		kfree(r);
		return NULL;
	}
	r->header = r->memory;
	r->commands = r->memory + FC_COMMANDS_OFFSET;
	r->events = r->memory + fc_events_offset(FC_KRING_COMMANDS);
	r->next_id = 1;
	spin_lock_init(&r->lock);
	INIT_LIST_HEAD(&r->cancels);
	init_waitqueue_head(&r->room);
	r->listener.interrupt = fc_kring_interrupt;
	fc_listener_join(k->dev, &r->listener);
	return r;
}

/* The host does not know of it any more, or never did, and nobody uses it. Before the device goes.
 */
void fc_kring_free(struct fc_kring *r)
{
	if (r->doorbell_page)
		iounmap(r->doorbell_page);
	fc_memory_free(r->memory, r->bytes);
	kfree(r);
}

/* On failure the host may have the ring's memory: it is not freed then. */
struct fc_kring *fc_kring_create(struct fc_kernel *k)
{
	struct fc_kring *r = fc_kring_alloc(k);
	struct fc_control msg = { .op = FC_CTL_CHANNEL_CREATE };
	u64 doorbell;
	int ret;

	if (!r)
		return ERR_PTR(-ENOMEM);
	msg.client = k->number;
	msg.arg[0] = virt_to_phys(r->memory);
	msg.arg[1] = r->bytes;
	msg.arg[2] = FC_KRING_COMMANDS | (u64)FC_KRING_EVENTS << 32;
	msg.arg[3] = r->listener.vector->index;
	ret = fc_kernel_request(k, &msg);
	if (ret) {
		fc_listener_leave(&r->listener);
		fc_kring_free(r);
		return ERR_PTR(ret);
	}
	r->number = msg.channel;
	doorbell = msg.arg[0];
	if (!(doorbell & 3) && doorbell < k->dev->doorbell_bytes)
		r->doorbell_page = ioremap(k->dev->doorbells + (doorbell & PAGE_MASK), PAGE_SIZE);
	if (!r->doorbell_page) {
		fc_listener_leave(&r->listener);
		return ERR_PTR(-ENOMEM);
	}
	r->doorbell = r->doorbell_page + offset_in_page(doorbell);
	return r;
}
