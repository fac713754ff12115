// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets: options of SOL_SOCKET. Generic code sets them, without us: the host is told when they
 * differ from what it knows.
 */
#include <linux/filter.h>

#include "sock.h"

static struct fc_sock_told fc_sock_has(const struct fc_sock *fs)
{
	const struct sock *sk = fs->sock->sk;
	struct fc_sock_told has = {
		.reuse = sk->sk_reuse ? 1 : 0,
		.keepalive = sock_flag(sk, SOCK_KEEPOPEN),
		.broadcast = sock_flag(sk, SOCK_BROADCAST),
		.lowat = READ_ONCE(sk->sk_rcvlowat) - 1,
		.time = fc_sock_dgram(fs) && fc_sock_wants_time(sk),
	};

	/* Doubled when they are set. */
	if (sk->sk_userlocks & SOCK_SNDBUF_LOCK)
		has.sndbuf = READ_ONCE(sk->sk_sndbuf) / 2;
	if (sk->sk_userlocks & SOCK_RCVBUF_LOCK)
		has.rcvbuf = READ_ONCE(sk->sk_rcvbuf) / 2;
	return has;
}

/* Its user wants packets judged as only the guest's kernel can: by device, or by a filter. */
bool fc_sock_guests_alone(const struct fc_sock *fs)
{
	const struct sock *sk = fs->sock->sk;

	return READ_ONCE(sk->sk_bound_dev_if) || rcu_access_pointer(sk->sk_filter);
}

/* The host does not know of some option of SOL_SOCKET. */
bool fc_sock_stale(const struct fc_sock *fs)
{
	struct fc_sock_told has = fc_sock_has(fs);

	return memcmp(&has, &fs->told, sizeof(has));
}

static void fc_sock_tell_one(struct fc_sock *fs, int name, int has, int *told)
{
	int value = name == SO_RCVLOWAT ? has + 1 : has;

	if (has == *told)
		return;
	*told = has;
	/* That one is about the guest's memory is no reason to fail; others can't. */
	fc_sock_exchange(fs, FC_OP_SETSOCKOPT, SOL_SOCKET | (u64)name << 32, &value, sizeof(value),
			 0);
}

void fc_sock_tell(struct fc_sock *fs)
{
	struct fc_sock_told has = fc_sock_has(fs);

	fc_sock_tell_one(fs, SO_REUSEADDR, has.reuse, &fs->told.reuse);
	fc_sock_tell_one(fs, SO_KEEPALIVE, has.keepalive, &fs->told.keepalive);
	fc_sock_tell_one(fs, SO_BROADCAST, has.broadcast, &fs->told.broadcast);
	fc_sock_tell_one(fs, SO_SNDBUF, has.sndbuf, &fs->told.sndbuf);
	fc_sock_tell_one(fs, SO_RCVBUF, has.rcvbuf, &fs->told.rcvbuf);
	fc_sock_tell_one(fs, SO_RCVLOWAT, has.lowat, &fs->told.lowat);
	fc_sock_tell_one(fs, SO_TIMESTAMPNS_OLD, has.time, &fs->told.time);
}

/* Before what the host does depends on it: the work that would tell it may not have run yet.
 * -EINTR: killed. */
int fc_sock_refresh(struct fc_sock *fs)
{
	if (likely(!fc_sock_handle(fs) || !fc_sock_stale(fs)))
		return 0;
	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	if (fc_sock_handle(fs))
		fc_sock_tell(fs);
	mutex_unlock(&fs->setup);
	return 0;
}

/* The host's pending error becomes the socket's, for SO_ERROR and whoever is next to hear of it. */
int fc_sock_fetch_error(struct fc_sock *fs)
{
	int error = 0;
	int ret = fc_sock_exchange(fs, FC_OP_GETSOCKOPT, SOL_SOCKET | (u64)SO_ERROR << 32, &error,
				   0, sizeof(error));

	if (ret == sizeof(error) && error)
		WRITE_ONCE(fs->sock->sk->sk_err, error);
	return ret;
}
