/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files kcall*.c share. */
#ifndef FARCALL_KCALL_IMPL_H
#define FARCALL_KCALL_IMPL_H

#include <linux/io.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <farcall/buddy.h>

#include "farcall.h"
#include "kcall.h"

#define FC_KRINGS 4u
#define FC_KRING_COMMANDS 512u
/* More than the commands: those that wait for long, such as polls of idle sockets, each keep an
 * event slot. */
#define FC_KRING_EVENTS 4096u
/* Of these, what ops with a call-back may take; what is left is for callers who wait, and for
 * cancels. */
#define FC_KRING_MAX_OPS (FC_KRING_EVENTS / 4 * 3)
#define FC_KRING_MAX_CALLS (FC_KRING_EVENTS - FC_KRING_COMMANDS)
/* Those that may wait for a peer leave room for those that do not. */
#define FC_KRING_MAX_WAITS (FC_KRING_MAX_CALLS - 256u)
#define FC_KRING_TABLE_BITS 8
#define FC_KIDS_UNUSED 64u
/* The id of commands whose result nobody wants. */
#define FC_KRING_FORGET (~0ull)

struct fc_kring {
	struct fc_kernel *kernel;
	struct fc_listener listener;
	void *memory;
	struct fc_ring_header *header; /* start of memory */
	struct fc_command *commands;
	void *events;
	u32 bytes;
	u32 number;
	void __iomem *doorbell_page;
	void __iomem *doorbell; /* in it */

	spinlock_t lock; /* irqs off; the rest is under it */
	bool dead;
	bool reaping; /* somebody takes events out; nobody else does */
	bool again; /* ... and has to look once more */
	bool credit; /* multishot commands were under way since there were none at all: see
			PROTOCOL.md, 5 */
	u32 posted;
	u32 event_head;
	u32 in_flight;
	u32 ops; /* of these, with call-backs */
	u32 wanted; /* sleepers and ops: somebody wants an interrupt ... */
	u32 spinners; /* ... unless somebody looks all the time */
	u64 next_id; /* of commands without event IDs: below those that have one */
	struct hlist_head table[1 << FC_KRING_TABLE_BITS];
	struct list_head cancels;
	wait_queue_head_t room;
	u64 spin_ns; /* how long it seems to be worth while; without the lock */
	u64 interrupts;
	u64 sleeps;
};

/* Event IDs, fetched before they run out. */
struct fc_kids {
	struct fc_kernel *kernel;
	spinlock_t lock; /* irqs off */
	u64 next, end;
	u64 spare, spare_end;
	u64 unused[FC_KIDS_UNUSED]; /* taken, and given back */
	u32 n_unused;
	s32 error;
	struct work_struct fetch;
	wait_queue_head_t wait;
};

struct fc_kernel {
	struct kref refs;
	struct fc_device *dev; /* not to be touched once dead */
	struct work_struct start;
	int error; /* why it did not start */
	bool ready; /* written last, with release semantics */
	bool dead;
	u32 number;
	u32 serial;
	u32 host_uid;
	u32 host_gid;
	u32 n_rings;
	struct fc_kring *rings[FC_KRINGS];
	struct fc_kids call_ids;

	struct fc_arena arena;
	void *base;
	spinlock_t buf_lock; /* irqs off */
	struct fc_buddy buddy;
	u32 free_units;
	wait_queue_head_t buf_wait;
};

/* kcall_channel.c */
struct fc_kring *fc_kring_create(struct fc_kernel *k);
void fc_kring_free(struct fc_kring *r);

/* kcall_ring.c. "Locked": with ring->lock. */
struct fc_kring *fc_kring_here(struct fc_kernel *k);
/* Locked. -EAGAIN: no room. *bell: ring the doorbell, once the lock is dropped. */
int fc_kring_post(struct fc_kring *r, struct fc_command *cmd, u32 limit, bool *bell);
void fc_kring_post_cancels(struct fc_kring *r, bool *bell);
void fc_kring_track(struct fc_kring *r, struct fc_kop *op);
void fc_kring_ring(struct fc_kring *r);
bool fc_kring_pending(const struct fc_kring *r);
/* Takes all events out. Any context but with the lock held. */
void fc_kring_reap(struct fc_kring *r);
/* Locked. Arms if somebody wants that; true: look at the ring once more. */
bool fc_kring_arm(struct fc_kring *r);
void fc_kring_interrupt(struct fc_listener *listener);
void fc_kring_die(struct fc_kring *r);

/* kcall_wait.c */
void fc_kwait_init(struct fc_kwait *w);
/* Waits for room. spin: the caller is one who looks at the ring, with preemption disabled, until
 * the end of fc_kwait_spin(). */
int fc_kwait_post(struct fc_kwait *w, struct fc_kring *r, bool spin, bool intr);
/* Looks for a while. False: it is not over, and the caller goes to sleep next. */
bool fc_kwait_spin(struct fc_kwait *w, struct fc_kring *r);
/* Sleeps until it is over: its result. */
int fc_kwait_sleep(struct fc_kwait *w, struct fc_kring *r, bool intr);
/* Under the ring's lock. */
void fc_kwait_done(struct fc_kop *op, s32 result, u8 event_flags);

/* kcall_buf.c */
int fc_kbuf_setup(struct fc_kernel *k);
void fc_kbuf_teardown(struct fc_kernel *k);

/* kcall_ids.c */
void fc_kids_init(struct fc_kids *ids, struct fc_kernel *k);
void fc_kids_stop(struct fc_kids *ids);
int fc_kids_take(struct fc_kids *ids, u64 *id);
/* No command has carried it: it would keep its block alive on the host for nothing. Any context. */
void fc_kids_untake(struct fc_kids *ids, u64 id);

/* kcall_start.c. Posts *msg, waits, returns the host's status; *msg is the answer. Not once k is
 * dead. */
int fc_kernel_request(struct fc_kernel *k, struct fc_control *msg);

#endif
