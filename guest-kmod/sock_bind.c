// SPDX-License-Identifier: GPL-2.0-only
/* Sockets: bind, listen, names, shutdown. */
#include <linux/in.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>

#include "sock.h"

#define FC_BIND_TRIES 8

/* What the host says when the port is none that it publishes: then it is the guest's alone. */
static bool fc_bind_not_published(const struct fc_sock *fs, int err, u16 port)
{
	const struct sock *sk = fs->sock->sk;

	if (err == -EPERM || err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT)
		return true;
	/* Several of the guest may share a port; the host's goes to the first of them. */
	return err == -EADDRINUSE &&
	       (!port || sk->sk_reuseport || (fc_sock_dgram(fs) && sk->sk_reuse));
}

/* Binds the host's socket, and puts the port that it got into *address. */
static int fc_bind_host(struct fc_sock *fs, struct sockaddr_storage *address, int length)
{
	struct sockaddr_storage name;
	int ret = fc_sock_open_host(fs);

	if (ret)
		return ret;
	name = *address;
	ret = fc_sock_exchange(fs, FC_OP_BIND, 0, &name, length, 0);
	if (ret || fc_address_port((struct sockaddr *)address))
		return ret;
	ret = fc_sock_exchange(fs, FC_OP_GETSOCKNAME, 0, &name, 0, sizeof(name));
	if (ret < 0)
		return ret;
	fc_address_set_port((struct sockaddr *)address, fc_address_port((struct sockaddr *)&name));
	return 0;
}

/* One port for both sides, if the host publishes it; else the guest's. Locked. */
static int fc_bind_both(struct fc_sock *fs, struct sockaddr_storage *wanted, int length)
{
	u16 port = fc_address_port((struct sockaddr *)wanted);
	struct sockaddr_storage address;
	int i, ret;

	for (i = 0; i < FC_BIND_TRIES; i++) {
		address = *wanted;
		ret = fc_bind_host(fs, &address, length);
		if (ret && fc_bind_not_published(fs, ret, port))
			break;
		if (ret)
			return ret;
		ret = fs->inner->bind(fs->sock, (struct sockaddr *)&address, length);
		fs->host_bound = !ret;
		if (!ret)
			return 0;
		fc_sock_close_host(fs);
		/* Any port would do, and this one is taken inside. */
		if (port || ret != -EADDRINUSE)
			return ret;
	}
	return fs->inner->bind(fs->sock, (struct sockaddr *)wanted, length);
}

static bool fc_sock_is_bound(const struct fc_sock *fs)
{
	return inet_sk(fs->sock->sk)->inet_num != 0;
}

int fc_sock_bind(struct socket *sock, struct sockaddr *address, int length)
{
	struct fc_sock *fs = fc_sock_of(sock);
	struct sockaddr_storage copy = {};
	int ret;

	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	if (fc_sock_side(fs) == FC_SIDE_HOST)
		ret = -EINVAL; /* connected */
	else if (fc_sock_side(fs) == FC_SIDE_INNER || fc_sock_is_bound(fs) ||
		 fs->peer_side == FC_SIDE_HOST || !fc_address_fits(fs, address, length))
		ret = fs->inner->bind(sock, address, length);
	else {
		memcpy(&copy, address, min_t(int, length, sizeof(copy)));
		ret = fc_bind_both(fs, &copy, min_t(int, length, sizeof(copy)));
	}
	mutex_unlock(&fs->setup);
	return ret;
}

static int fc_listen_locked(struct fc_sock *fs, int backlog)
{
	struct sockaddr_storage any = { .ss_family = fs->sock->sk->sk_family };
	int ret = 0;

	if (fc_sock_side(fs) == FC_SIDE_HOST)
		return -EINVAL; /* connected */
	if (fc_sock_side(fs) == FC_SIDE_INNER || fc_sock_dgram(fs))
		return fs->inner->listen(fs->sock, backlog);
	if (!fc_sock_is_bound(fs))
		ret = fc_bind_both(fs, &any,
				   any.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
							      sizeof(struct sockaddr_in6));
	if (!ret && fs->host_bound)
		ret = fc_sock_simple(fs, FC_OP_LISTEN, backlog, 0);
	if (!ret)
		ret = fs->inner->listen(fs->sock, backlog);
	if (ret)
		return ret;
	if (!fs->host_bound) {
		fc_sock_set_inner(fs);
		return 0;
	}
	WRITE_ONCE(fs->side, FC_SIDE_BOTH);
	fc_sock_start_watch(fs);
	return 0;
}

int fc_sock_listen(struct socket *sock, int backlog)
{
	struct fc_sock *fs = fc_sock_of(sock);
	int ret;

	if (mutex_lock_killable(&fs->setup))
		return -EINTR;
	ret = fc_listen_locked(fs, max(backlog, 0));
	mutex_unlock(&fs->setup);
	return ret;
}

/* Does the host know the name better? */
static bool fc_name_is_hosts(const struct fc_sock *fs, int peer)
{
	if (!fc_sock_handle(fs))
		return false;
	if (!fc_sock_dgram(fs))
		return fc_sock_side(fs) == FC_SIDE_HOST && READ_ONCE(fs->conn) != FC_CONN_FAILED;
	if (READ_ONCE(fs->peer_side) != FC_SIDE_OPEN)
		return fs->peer_side == FC_SIDE_HOST;
	return !peer && !fc_sock_is_bound(fs);
}

/* peer 2: whom accept() has found, even if it is gone. Also asked for the plain socket of an inner
 * connection. */
int fc_sock_getname(struct socket *sock, struct sockaddr *address, int peer)
{
	struct fc_sock *fs = fc_sock_of(sock);
	struct sockaddr_storage name;
	int ret;

	/* An accepted one that is the guest's own already; others may use its sk_user_data. */
	if (READ_ONCE(sock->ops)->getname != fc_sock_getname)
		return READ_ONCE(sock->ops)->getname(sock, address, peer);
	if (!fs)
		return -ENOTCONN;
	if (peer == 2 && fs->peer_length) {
		memcpy(address, &fs->peer, sizeof(fs->peer));
		return fs->peer_length;
	}
	if (!fc_name_is_hosts(fs, peer))
		return fs->inner->getname(sock, address, peer);
	ret = fc_sock_exchange(fs, peer ? FC_OP_GETPEERNAME : FC_OP_GETSOCKNAME, 0, &name, 0,
			       sizeof(name));
	if (ret < 0)
		return ret;
	memcpy(address, &name, sizeof(name));
	return min_t(int, ret, sizeof(name));
}

int fc_sock_shutdown(struct socket *sock, int how)
{
	struct fc_sock *fs = fc_sock_of(sock);
	enum fc_side side = fc_sock_side(fs);
	int ret;

	if (fc_sock_dgram(fs))
		side = READ_ONCE(fs->peer_side);
	if (side == FC_SIDE_INNER || side == FC_SIDE_OPEN || READ_ONCE(fs->conn) == FC_CONN_FAILED)
		return fs->inner->shutdown(sock, how);
	/* Before a sleeper of ours looks again. */
	WRITE_ONCE(fs->known, 0);
	ret = fc_sock_simple(fs, FC_OP_SHUTDOWN, how, 0);
	if (side == FC_SIDE_BOTH)
		ret = fs->inner->shutdown(sock, how);
	if (!ret)
		fc_sock_wake(fs, FC_SOCK_POLL_ALL | EPOLLHUP);
	return ret;
}
