/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * farcall.ko, internal declarations.
 *
 * Lifetimes
 *
 * fc_device lives until the last fc_client is freed; remove() waits for that (live, idle).
 *
 * fc_client: "users" counts who needs the client to exist on the host: the opener's file, each
 * running ioctl and each control request in flight. At zero CLIENT_DESTROY is posted; when the host
 * has finished it, arena and regions are freed (fc_client_finish). "refs" counts who needs the
 * struct: the file, the host side (until fc_client_finish) and each channel. REGION_REMOVE in
 * flight holds refs, not users: CLIENT_DESTROY may be what ends the commands that it waits for.
 *
 * fc_channel: "refs" are its file, and the host from before CHANNEL_CREATE until CHANNEL_DESTROY or
 * CLIENT_DESTROY has finished. The ring's memory goes with the last of them.
 *
 * fc_kernel, the kernel's own client: "refs" are the device, each mount and each socket. remove()
 * ends its commands; its memory goes with the last of them, which may be after the device.
 *
 * fc_region is owned by client->regions, or by the request that adds or removes it.
 *
 * A request whose caller was killed goes on alone: its "late" function runs on dev->wq once the
 * host has finished.
 *
 * Locks, outer first
 *
 * client->setup: streams and arena, once per client; held while waiting for the host
 * dev->lock: dev->clients
 * client->lock: client->channels, client->regions and their counts
 * dev->control_lock (irqs off): the control page: slots, queue, state
 * vector->lock (irqs off): the listeners of a vector; outside of channel->wait.lock and kring->lock
 * kring->lock (irqs off): a channel of the kernel's own client; not held around call-backs of ops,
 * which vector->lock may be
 * kids->lock, kernel->buf_lock (irqs off): innermost
 * dev->weight.lock, client->weight.lock: outside of client->lock, see weight.h
 *
 * The file system's are outside of those of the kernel's own client: inode->i_rwsem, fs->names; fi->lock
 * is innermost. See fs.h.
 *
 * mmap_lock may be held around client->lock and dev->lock, so never the other way round; never
 * around the two of weight.h.
 */
#ifndef FARCALL_KMOD_H
#define FARCALL_KMOD_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/version.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <farcall/abi.h>
#include <farcall/control.h>
#include <farcall/ioctl.h>
#include <farcall/ring.h>

#include "weight.h"

struct fc_device;
struct fc_client;
struct fc_kernel;

/* Requests that can take long have queues and shares of the slots of their own: see control.c */
enum fc_queue {
	FC_QUEUE_QUICK,
	FC_QUEUE_DESTROY, /* CLIENT_DESTROY */
	FC_QUEUE_REMOVE, /* REGION_REMOVE */
	FC_QUEUES,
};

/* A control request, and the host's answer to it once it has finished. */
struct fc_request {
	struct fc_control msg;
	struct fc_device *dev;
	struct list_head link; /* in its queue, until posted */
	struct completion done;
	struct work_struct work;
	void (*late)(struct fc_request *req); /* process context; owns the request */
	enum fc_queue queue;
	bool async; /* nobody waits: call late */
	bool finished;
};

enum fc_state {
	FC_STATE_RUNNING,
	FC_STATE_RESETTING, /* requests are queued, not posted; answers are not looked at */
	FC_STATE_DEAD, /* the host has forgotten everything; requests fail with -ENODEV */
};

/* What HELLO said, bounded by what this module can do. */
struct fc_limits {
	u32 version;
	u64 features;
	u32 max_channels;
	u32 max_regions;
	u32 max_command_slots;
	u32 max_event_slots;
	u64 max_region_bytes;
};

/* Who is told of a vector's interrupts. */
struct fc_listener {
	struct list_head link;
	struct fc_vector *vector;
	void (*interrupt)(struct fc_listener *listener); /* under vector->lock */
};

/* An MSI-X vector for event interrupts. */
struct fc_vector {
	spinlock_t lock;
	struct list_head listeners;
	unsigned int irq;
	u32 index; /* as the host counts them: 1 .. */
	atomic_t load; /* listeners */
	u64 interrupts; /* under lock */
	char name[24];
};

struct fc_device {
	struct pci_dev *pdev;
	void __iomem *regs;
	phys_addr_t doorbells;
	u64 doorbell_bytes;
	struct miscdevice misc;
	struct notifier_block panic;
	struct dentry *debugfs;
	struct fc_limits limits;

	spinlock_t control_lock;
	struct fc_control *control; /* the page shared with the host */
	struct fc_request *slots[FC_CONTROL_SLOTS];
	DECLARE_BITMAP(busy, FC_CONTROL_SLOTS);
	struct list_head queues[FC_QUEUES];
	u32 n_posted[FC_QUEUES]; /* slots that each has taken */
	enum fc_state state;
	u64 requests;
	u64 control_interrupts;
	struct workqueue_struct *wq;

	struct fc_vector *vectors;
	u32 n_vectors; /* event vectors, without vector 0 */

	struct fc_kernel *kernel; /* the kernel's own client: see kcall.h */

	struct mutex lock;
	struct list_head clients;
	struct fc_device_weight weight;
	refcount_t live; /* the driver's binding, and each client struct */
	struct completion idle;
};

struct fc_segments {
	struct fc_segment *table; /* guest-physically contiguous */
	u32 count;
};

struct fc_arena {
	struct page **pages; /* each with a reference of its own */
	unsigned long n_pages;
	struct fc_segments segments;
};

struct fc_client {
	struct fc_device *dev;
	struct kref refs;
	refcount_t users;
	unsigned long file_gone; /* bit 0: the file's share of users was given back */
	struct list_head link;
	struct mm_struct *mm; /* the opener's, mm_count held */
	struct pid *tgid;

	struct mutex setup;
	bool streams;
	u32 near_serial; /* of the client whose worker it wants; 0: any */
	bool stuck; /* the caller was killed while setting up: never try again */
	bool created; /* exists on the host as `number` */
	bool ready; /* has its arena; written last, with release semantics */
	u32 number;
	u32 serial;
	struct fc_arena arena;

	struct mutex lock;
	struct list_head channels;
	struct list_head regions;
	u32 n_regions;
	bool closed; /* channels added from now on are closed */
	bool finished; /* the host has let go of everything: no region may be added any more */
	atomic64_t ioctls;
	struct fc_client_weight weight;
	struct fc_request destroy;
};

struct fc_channel {
	struct kref refs;
	struct fc_client *client;
	struct fc_listener listener;
	struct list_head link; /* client->channels, while it exists on the host */
	void *memory;
	struct fc_ring_header *header; /* start of memory */
	void *events;
	u32 bytes;
	u32 command_slots;
	u32 event_slots;
	u32 event_size;
	u32 number;
	u64 doorbell; /* offset in BAR 2 */
	bool on_host; /* CHANNEL_CREATE succeeded: the file's release has to undo it */
	bool closed;
	wait_queue_head_t wait;
	struct fc_channel_weight weight;
	atomic64_t waits; /* FC_IOC_WAIT calls */
	atomic64_t sleeps; /* of which slept */
	atomic64_t wakes; /* of which were woken (not timed out, not interrupted by a signal) */
	atomic64_t polls;
	atomic64_t interrupts; /* that found a sleeper to wake here */
	struct fc_request destroy;
};

struct fc_region {
	struct list_head link;
	struct fc_client *client;
	struct page **pages;
	unsigned long n_pages;
	unsigned long pinned;
	bool accounted;
	bool writable;
	u32 key;
	u64 bytes;
	struct fc_segments segments;
	struct fc_request remove;
};

/* control.c */
void fc_request_init(struct fc_request *req, struct fc_device *dev, u32 op,
		     void (*late)(struct fc_request *));
void fc_request_post(struct fc_request *req);
void fc_request_post_async(struct fc_request *req);
int fc_request_wait(struct fc_request *req, long timeout);
void fc_control_reap(struct fc_device *dev);
void fc_control_forget(struct fc_device *dev, u32 client);
int fc_control_start(struct fc_device *dev);
void fc_control_reset(struct fc_device *dev);
void fc_control_quiesce(struct fc_device *dev, unsigned int timeout_ms);
void fc_control_free(struct fc_device *dev);
int fc_device_reset(struct fc_device *dev, unsigned int timeout_ms);

/* hello.c */
int fc_control_hello(struct fc_device *dev);

/* irq.c */
int fc_irq_setup(struct fc_device *dev);
void fc_irq_teardown(struct fc_device *dev);
void fc_listener_join(struct fc_device *dev, struct fc_listener *listener);
void fc_listener_leave(struct fc_listener *listener);

/* client.c */
extern const struct file_operations fc_client_fops;
typedef void (*fc_orphan_fn)(void *data, const struct fc_control *answer);
int fc_client_call(struct fc_client *client, struct fc_control *msg, fc_orphan_fn orphan,
		   void *data);
bool fc_client_get_user(struct fc_client *client);
void fc_client_put_user(struct fc_client *client);
void fc_client_get(struct fc_client *client);
void fc_client_put(struct fc_client *client);
void fc_client_close_channels(struct fc_client *client);

/* ioctl.c */
long fc_client_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* arena.c */
int fc_arena_alloc(struct fc_arena *arena, unsigned long n_pages);
long fc_arena_create(struct fc_client *client, const struct fc_ioc_arena *arg);
void fc_arena_free(struct fc_arena *arena);
int fc_arena_mmap(struct fc_client *client, struct vm_area_struct *vma);

/* memory.c */
void *fc_memory_alloc(size_t bytes, gfp_t gfp);
void fc_memory_free(void *memory, size_t bytes);
int fc_segments_build(struct fc_segments *out, struct page **pages, unsigned long n_pages,
		      u32 offset, u64 bytes);
void fc_segments_free(struct fc_segments *segments);

/* channel.c, channel_file.c */
extern const struct file_operations fc_channel_fops;
long fc_channel_create(struct fc_client *client, struct fc_ioc_channel __user *user);
void fc_channel_put(struct fc_channel *ch);
void fc_channel_release(struct fc_channel *ch);
void fc_channel_interrupt(struct fc_listener *listener);

/* region.c */
long fc_region_add(struct fc_client *client, struct fc_ioc_region __user *user);
long fc_region_remove(struct fc_client *client, u32 key);
void fc_region_free(struct fc_region *region);

/* sock.c */
long fc_sock_create(struct fc_device *dev, const struct fc_ioc_socket __user *user);

/* debugfs.c */
void fc_debugfs_create(struct fc_device *dev);
void fc_debugfs_remove(struct fc_device *dev);

static inline void fc_vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

#endif
