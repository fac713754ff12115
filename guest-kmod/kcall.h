/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest kernel's own client: how the module itself runs commands on the host, for its file
 * system and its sockets. One client stands for all processes; it has no memory of a process, a
 * channel for each of up to FC_KRINGS CPUs, and an arena of kernel pages.
 *
 * fc_kernel is made with the device, and started on the host when it is first used, since a guest
 * that needs none of this should not pay for it. Whoever uses it beyond a single call holds a
 * reference. When the device goes, everything under way ends with -ENODEV; the arena stays until
 * the last reference is put, so that pointers into it remain good.
 *
 * Waiting: who has posted a command looks at the ring itself for a while (module parameter
 * spin_us), and takes out everybody's events meanwhile; then it arms the channel and sleeps, and
 * the interrupt takes them out.
 *
 * Locks: see farcall.h.
 */
#ifndef FARCALL_KCALL_H
#define FARCALL_KCALL_H

#include <linux/kref.h>
#include <linux/sched.h>
#include <linux/types.h>

#include <farcall/abi.h>

struct fc_device;
struct fc_kernel;
struct fc_kring;
struct seq_file;

/* That of the device, if there is one, with a reference; or NULL. */
struct fc_kernel *fc_kernel_find(void);
void fc_kernel_bind(struct fc_kernel *k);
/* Whose rights the host works with. After fc_kernel_start(). */
void fc_kernel_user(struct fc_kernel *k, u32 *uid, u32 *gid);
/* One per device: dev->kernel. */
struct fc_kernel *fc_kernel_create(struct fc_device *dev);
void fc_kernel_get(struct fc_kernel *k);
void fc_kernel_put(struct fc_kernel *k);
/*
 * Starts it on the host, if it is not. May sleep. The calls below do this by themselves, but for
 * fc_kop_start(), fc_kbuf_offset() and the like.
 */
int fc_kernel_start(struct fc_kernel *k);
/* The host has forgotten everything: ends all commands with -ENODEV. Later ones get that at once.
 */
void fc_kernel_stop(struct fc_kernel *k);
/* The same when the machine goes down: what it consists of stays. */
void fc_kernel_halt(struct fc_kernel *k);
void fc_kernel_show(struct fc_kernel *k, struct seq_file *m);

/*
 * Arena memory for operands and data, 8-aligned, not zeroed; its offset is what the ABI wants with
 * region 0. May sleep, but not for somebody else to give memory back. NULL: none left but for what
 * is kept for fc_kbuf_wait().
 */
void *fc_kbuf_alloc(struct fc_kernel *k, size_t bytes);
/*
 * The same, and waits for room, which always comes if everybody who uses this (not fc_kbuf_alloc())
 * gives back all that it has, soon and without asking for more in between. With one exception: who
 * says `faults` may touch user memory meanwhile, whose pages may come from the file system and need
 * arena memory themselves; a part of it is kept for that, and a signal that kills ends the wait. At
 * most FC_KBUF_WAIT_MAX bytes. NULL: the device is gone, or the caller is killed.
 */
void *fc_kbuf_wait(struct fc_kernel *k, size_t bytes, bool faults);
#define FC_KBUF_WAIT_MAX 65536u
/* Any context. */
void fc_kbuf_free(struct fc_kernel *k, void *buf, size_t bytes);
u64 fc_kbuf_offset(struct fc_kernel *k, const void *buf);

/*
 * A command that completes later, once or (FC_F_MULTISHOT) several times. done() runs in interrupt
 * or process context, perhaps with locks held: it must not sleep, may start others, and never
 * runs twice at a time for one op. Its last call has no FC_E_MORE; the op may be freed or
 * started again from there on.
 */
struct fc_kop {
	struct fc_command cmd; /* the caller's, but for id and seq */
	void (*done)(struct fc_kop *op, s32 result, u8 event_flags);
	/* private */
	struct hlist_node node; /* in its ring's table, while it is under way */
	struct list_head cancel; /* of a waiting caller: wants it cancelled, when there is room */
	struct fc_kring *ring;
};

/*
 * 0: done() will come, or has come. -ENODEV: the device is gone, or the client was never started;
 * -EAGAIN: too many are under way. Never sleeps. Its end is that of the handle that it is about: an
 * event ID to cancel it by would be held for as long as it lives, and with it a whole block of
 * them.
 */
int fc_kop_start(struct fc_kernel *k, struct fc_kop *op);

/* A signal cancels the command: -ERESTARTSYS when it had no effect, else its result. */
#define FC_KCALL_INTR 0x1u

/*
 * Runs one command to its end; cmd->id and FC_F_ID are the callee's. Result >= 0 or -errno. Without
 * FC_KCALL_INTR only a dying host ends it early (-ENODEV). May sleep.
 */
int fc_kcall(struct fc_kernel *k, struct fc_command *cmd, unsigned int flags);

/*
 * The same when nobody cares when it is over, and how, as for FC_OP_CLOSE. Flags and id are the
 * callee's. May sleep.
 */
void fc_kcall_forget(struct fc_kernel *k, struct fc_command *cmd);

/*
 * An event ID, for a command with FC_F_ID that others are to wait for. 0; -ENODEV; -EINTR: killed;
 * or the host's refusal.
 */
int fc_kcall_id(struct fc_kernel *k, u64 *id);

/* The two halves of it, to have several commands under way: begin some, then end each. */
struct fc_kwait {
	struct fc_kop op; /* op.cmd is the caller's */
	/* private */
	struct task_struct *task;
	u64 start; /* of looking for it, ns */
	bool sleeps;
	bool done;
	s32 result;
};

/* 0: it must be ended, by the same thread, whose stack it may be on. Else its result. May sleep,
 * for room in the ring. */
int fc_kcall_begin(struct fc_kernel *k, struct fc_kwait *w);
int fc_kcall_end(struct fc_kernel *k, struct fc_kwait *w);

#endif
