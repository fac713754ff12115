// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: readiness. sock.h explains the watch. */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "sock.h"

#define FC_WATCH_RETRY (HZ / 50)

void fc_sock_op_get(struct fc_sock *fs)
{
	atomic_inc(&fs->ops);
}

/* Last thing that a call-back does: the socket may be gone then. */
void fc_sock_op_put(struct fc_sock *fs)
{
	if (atomic_dec_and_test(&fs->ops))
		complete(&fs->idle);
}

/* Wakes who waits for some of these events: sleepers, polls, epolls, and by SIGIO. Any context. */
void fc_sock_wake(struct fc_sock *fs, u32 events)
{
	struct socket_wq *wq = &fs->sock->wq;

	atomic_inc(&fs->news);
	if (skwq_has_sleeper(wq))
		__wake_up_sync_key(&wq->wait, TASK_NORMAL, poll_to_key((__force __poll_t)events));
	rcu_read_lock();
	if (events & EPOLLIN)
		sock_wake_async(wq, SOCK_WAKE_WAITD, POLL_IN);
	else if (events & EPOLLOUT)
		sock_wake_async(wq, SOCK_WAKE_IO, POLL_OUT);
	if (events & (EPOLLHUP | EPOLLERR))
		sock_wake_async(wq, SOCK_WAKE_IO, events & EPOLLHUP ? POLL_HUP : POLL_ERR);
	rcu_read_unlock();
}

static void fc_watch_done(struct fc_kop *op, s32 result, u8 event_flags)
{
	struct fc_sock *fs = container_of(op, struct fc_sock, watch);

	if (result >= 0) {
		WRITE_ONCE(fs->known, result);
		fc_sock_wake(fs, result);
	}
	if (event_flags & FC_E_MORE)
		return;
	clear_bit(0, &fs->watching);
	if (result < 0 && result != -ECANCELED)
		fc_sock_wake(fs, FC_SOCK_POLL_ALL | EPOLLERR | EPOLLHUP);
	/* Its socket was closed; there may be another one by now, which found the watch taken. */
	if (result == -ECANCELED && READ_ONCE(fs->wanted))
		fc_sock_start_watch(fs);
	fc_sock_op_put(fs);
}

/* There is nothing to watch yet: a connection that is not made, and a listener before listen(),
 * always look ready. */
static bool fc_sock_watchable(const struct fc_sock *fs)
{
	if (!fc_sock_handle(fs))
		return false;
	if (fc_sock_dgram(fs) || fc_sock_side(fs) == FC_SIDE_BOTH)
		return true;
	return READ_ONCE(fs->conn) == FC_CONN_UP;
}

/*
 * Any context. What is ready already is a shot too. A watch that finds no room, or a host that is
 * gone, is tried again: by the work, and by the next who waits.
 */
void fc_sock_start_watch(struct fc_sock *fs)
{
	int ret;

	WRITE_ONCE(fs->wanted, true);
	/* Who makes it watchable looks at `wanted` afterwards, with a barrier too. */
	smp_mb();
	if (!fc_sock_watchable(fs) || test_and_set_bit(0, &fs->watching))
		return;
	memset(&fs->watch.cmd, 0, sizeof(fs->watch.cmd));
	fs->watch.cmd = fc_sock_command(fs, FC_OP_POLL);
	fs->watch.cmd.flags = FC_F_MULTISHOT;
	fs->watch.cmd.offset = FC_SOCK_POLL_ALL;
	fs->watch.done = fc_watch_done;
	fc_sock_op_get(fs);
	ret = fc_kop_start(fs->kernel, &fs->watch);
	if (!ret)
		return;
	clear_bit(0, &fs->watching);
	if (ret == -EAGAIN)
		schedule_delayed_work(&fs->work, FC_WATCH_RETRY);
	fc_sock_op_put(fs);
}

/*
 * Runs `try` until it gives something but -EAGAIN, or timeout (jiffies) or a signal: for calls that
 * both sides can serve. Nobody else can tell when, so there is a watch.
 */
int fc_sock_wait_both(struct fc_sock *fs, long timeout, fc_sock_try_fn try, void *data)
{
	wait_queue_head_t *queue = &fs->sock->wq.wait;
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int ret = try(fs, data);
	long left = timeout;

	if (ret != -EAGAIN || !timeout)
		return ret;
	add_wait_queue(queue, &wait);
	fc_sock_start_watch(fs);
	for (;;) {
		ret = try(fs, data);
		if (ret != -EAGAIN || !left)
			break;
		if (signal_pending(current)) {
			ret = fc_sock_signal(timeout);
			break;
		}
		left = wait_woken(&wait, TASK_INTERRUPTIBLE, left);
		fc_sock_start_watch(fs);
	}
	remove_wait_queue(queue, &wait);
	return ret;
}

/* What generic code has changed without asking us, that the host has to know about. */
static bool fc_sock_has_work(const struct fc_sock *fs)
{
	if (!fc_sock_handle(fs))
		return false;
	if (sock_flag(fs->sock->sk, SOCK_FASYNC) && !test_bit(0, &fs->watching) &&
	    fc_sock_watchable(fs))
		return true;
	return fc_sock_stale(fs);
}

static void fc_sock_work(struct work_struct *work)
{
	struct fc_sock *fs = container_of(to_delayed_work(work), struct fc_sock, work);

	if (!fc_sock_handle(fs))
		return;
	mutex_lock(&fs->setup);
	if (fc_sock_handle(fs) && fc_sock_stale(fs))
		fc_sock_tell(fs);
	mutex_unlock(&fs->setup);
	if (READ_ONCE(fs->wanted) || sock_flag(fs->sock->sk, SOCK_FASYNC))
		fc_sock_start_watch(fs);
}

/*
 * fcntl(F_SETFL) and setsockopt(SOL_SOCKET) work on the struct sock and tell nobody. But they lock
 * it, and release_sock() wakes who waits for that: so we are called here, with the lock's spinlock
 * held.
 */
static int fc_sock_released(wait_queue_entry_t *entry, unsigned int mode, int flags, void *key)
{
	struct fc_sock *fs = container_of(entry, struct fc_sock, hook);

	if (fc_sock_has_work(fs))
		schedule_delayed_work(&fs->work, 0);
	return 0;
}

void fc_sock_hook(struct fc_sock *fs)
{
	INIT_DELAYED_WORK(&fs->work, fc_sock_work);
	init_waitqueue_func_entry(&fs->hook, fc_sock_released);
	add_wait_queue(&fs->sock->sk->sk_lock.wq, &fs->hook);
}

void fc_sock_unhook(struct fc_sock *fs)
{
	remove_wait_queue(&fs->sock->sk->sk_lock.wq, &fs->hook);
}

static __poll_t fc_poll_host(struct fc_sock *fs, struct file *file, __poll_t asked)
{
	u32 known = READ_ONCE(fs->known);
	struct sock *sk = fs->sock->sk;
	int ready;

	if (fc_sock_refresh(fs))
		return 0;
	/* An answer that is no longer true costs such a file an EAGAIN. */
	if ((file->f_flags & O_NONBLOCK) && !(known & EPOLLERR) && (known & (__force u32)asked))
		return (__force __poll_t)known;
	ready = fc_sock_simple(fs, FC_OP_POLL, FC_SOCK_POLL_ALL, FC_POLL_NOW);
	if (ready < 0)
		return EPOLLERR | EPOLLHUP;
	if (ready & EPOLLERR)
		fc_sock_fetch_error(fs);
	if (READ_ONCE(sk->sk_err))
		ready |= EPOLLERR;
	return (__force __poll_t)ready;
}

/* Who asks with `wait` is in the socket's queue when this returns, once. */
static __poll_t fc_poll_inner(struct fc_sock *fs, struct file *file, struct poll_table_struct *wait)
{
	return fs->inner->poll(file, fs->sock, wait);
}

static __poll_t fc_poll_dgram(struct fc_sock *fs, struct file *file, struct poll_table_struct *wait)
{
	__poll_t inner = fc_poll_inner(fs, file, wait);
	__poll_t asked = poll_requested_events(wait);
	enum fc_side peer = READ_ONCE(fs->peer_side);

	if (peer == FC_SIDE_INNER || !fc_sock_handle(fs))
		return inner;
	if (peer == FC_SIDE_HOST)
		return fc_poll_host(fs, file, asked);
	return inner | fc_poll_host(fs, file, asked & ~inner);
}

__poll_t fc_sock_poll(struct file *file, struct socket *sock, struct poll_table_struct *wait)
{
	struct fc_sock *fs = fc_sock_of(sock);
	enum fc_side side = fc_sock_side(fs);

	if (side == FC_SIDE_INNER)
		return fc_poll_inner(fs, file, wait);
	if (!poll_does_not_wait(wait))
		fc_sock_start_watch(fs);
	if (fc_sock_dgram(fs))
		return fc_poll_dgram(fs, file, wait);
	if (side == FC_SIDE_BOTH)
		return fc_poll_inner(fs, file, wait) |
		       (fc_poll_host(fs, file, poll_requested_events(wait)) & ~EPOLLOUT);
	if (side == FC_SIDE_OPEN)
		return fc_poll_inner(fs, file, wait);
	/* Its connection may fail or come up in the very moment: first into the queue, then look.
	 */
	sock_poll_wait(file, sock, wait);
	switch (READ_ONCE(fs->conn)) {
	case FC_CONN_PENDING:
		return 0;
	case FC_CONN_UP:
		return fc_poll_host(fs, file, poll_requested_events(wait));
	default:
		return fc_poll_inner(fs, file, NULL);
	}
}
